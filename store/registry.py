"""Versions, the champion alias, the audit: `daemon.ports.Registry`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from daemon.corrections.naming import present_names
from daemon.errors import BadInputError, ChampionMoved, NotFoundError
from daemon.failpoints import failpoint
from daemon.model import AuditRow, VersionOutline, VersionRecord
from store import audit
from store import tables as t
from store.database import Database
from store.deciding import read_rules
from store.files import read_checked, sha256_hex, write_files
from store.layout import Layout

_ACTIONS = {"held": "hold", "rejected": "reject", "waiting": "wait", "shadow": "shadow"}


class SqlRegistry:
    """Immutable versions; every change of the champion is one transaction that survives a power cut."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout

    def add_version(
        self,
        *,
        parent: str | None,
        fingerprint: str,
        learner: str,
        statistics_revision: int,
        manifest: bytes,
        tensors: bytes,
        at: datetime,
    ) -> VersionRecord:
        """Store the artifact's files, then the row; the same manifest again returns the row that is there."""
        manifest_sha256, tensors_sha256 = sha256_hex(manifest), sha256_hex(tensors)
        failpoint("version.before_files")
        write_files({self._layout.tensors(tensors_sha256): tensors, self._layout.manifest(manifest_sha256): manifest})
        failpoint("version.files_written")
        v = t.version
        with self._database.write(durable=True) as connection:
            there = connection.execute(select(v.c.id).where(v.c.manifest_sha256 == manifest_sha256)).scalar()
            if there is None:
                number = (connection.execute(select(func.max(v.c.number))).scalar() or 0) + 1
                there = f"v{number:04d}-{manifest_sha256[:8]}"
                connection.execute(
                    insert(v).values(
                        id=there,
                        number=number,
                        parent=parent,
                        fingerprint=fingerprint,
                        learner=learner,
                        statistics_revision=statistics_revision,
                        state="challenger",
                        created_at=at,
                        manifest_sha256=manifest_sha256,
                        tensors_sha256=tensors_sha256,
                    )
                )
                failpoint("version.row_inserted")
            return _version(connection, there)

    def record_verdict(
        self, version: str, state: str, verdict: Mapping[str, object], actor: str, reason: str, at: datetime
    ) -> None:
        """State held, rejected, waiting or shadow with the verdict, and one audit row; the same again changes nothing.

        Raises BadInputError for another state, an unknown version, or the champion.
        """
        if state not in _ACTIONS:
            raise BadInputError(
                f"a verdict is held, rejected, waiting or shadow, not {state}; a promotion is `promote`"
            )
        with self._database.write(durable=True) as connection:
            record_verdict_in(connection, version, state, verdict, actor=actor, reason=reason, at=at)

    def promote(
        self,
        version: str,
        *,
        expected: str | None,
        actor: str,
        reason: str,
        verdict: Mapping[str, object] | None,
        at: datetime,
        action: str = "promote",
        more: Mapping[str, object] | None = None,
    ) -> AuditRow:
        """Compare-and-set of the champion alias (and `previous`) and one audit row, with `more`, in one transaction.

        Raises ChampionMoved when the champion is not `expected`, BadInputError when the version is unknown or is the
        champion already.
        """
        with self._database.write(durable=True) as connection:
            return promote_in(
                connection,
                version,
                expected=expected,
                actor=actor,
                reason=reason,
                verdict=verdict,
                at=at,
                action=action,
                more=more,
            )

    def approve(self, version: str, *, actor: str, reason: str, at: datetime) -> AuditRow:
        """A version that waits or judges in the shadow takes its champion's place, in one transaction.

        Raises BadInputError when it is unknown or does not wait, ChampionMoved when another version is in force by now.
        """
        with self._database.write(durable=True) as connection:
            record = _waiting(connection, version, "approved")
            return promote_in(
                connection,
                version,
                expected=record.parent,
                actor=actor,
                reason=reason,
                verdict=record.verdict,
                at=at,
                action="promote",
                more={"approved": True},
            )

    def refuse(self, version: str, *, actor: str, reason: str, at: datetime) -> AuditRow:
        """A person rejects a version that waits or judges in the shadow; its verdict stays. Raises as `approve`."""
        with self._database.write(durable=True) as connection:
            record = _waiting(connection, version, "rejected")
            _set_state(connection, version, "rejected", record.verdict)
            failpoint("refuse.state_set")
            return audit.append(
                connection,
                at=at,
                actor=actor,
                action="reject",
                version=version,
                previous=alias_in(connection, "champion"),
                reason=reason,
                payload={"approved": False},
            )

    def champion(self) -> VersionRecord | None:
        """The version in force; None before the first."""
        return self._by_alias("champion")

    def previous(self) -> VersionRecord | None:
        """The champion before this one."""
        return self._by_alias("previous")

    def version(self, version: str) -> VersionRecord:
        """One version. Raises BadInputError when there is none of that id."""
        with self._database.read() as connection:
            return _version(connection, version)

    def versions(self) -> list[VersionRecord]:
        """All versions, oldest first."""
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(_select().order_by(t.version.c.number))]

    def outlines(self) -> list[VersionOutline]:
        """All versions without their verdicts, oldest first."""
        v = t.version.c
        named = [v[name] for name in VersionOutline.__slots__ if name != "judged"]
        query: Select[Any] = select(*named, v.verdict.is_not(None)).order_by(v.number)
        with self._database.read() as connection:
            return [VersionOutline(*row) for row in connection.execute(query)]

    def artifact(self, version: str) -> tuple[bytes, bytes]:
        """(tensors, manifest). Raises CorruptArtifact when one does not match its recorded digest."""
        record = self.version(version)
        return (
            read_checked(self._layout.tensors(record.tensors_sha256), record.tensors_sha256),
            read_checked(self._layout.manifest(record.manifest_sha256), record.manifest_sha256),
        )

    def audit(self, actions: Collection[str] | None = None, after: int = 0) -> list[AuditRow]:
        """The chain, oldest first: the whole of it, or the rows of some actions, or those after a number."""
        with self._database.read() as connection:
            return audit.read(connection, actions, after)

    def audit_counts(self) -> dict[str, int]:
        """Action -> how many rows about a version have it."""
        with self._database.read() as connection:
            return audit.counts(connection)

    def family_names(self) -> dict[str, str]:
        """Former family name -> present one, of families that were renamed or merged."""
        with self._database.read() as connection:
            return present_names(read_rules(connection))

    def _by_alias(self, name: str) -> VersionRecord | None:
        with self._database.read() as connection:
            version = alias_in(connection, name)
            return None if version is None else _version(connection, version)


def promote_in(
    connection: Connection,
    version: str,
    *,
    expected: str | None,
    actor: str,
    reason: str,
    verdict: Mapping[str, object] | None,
    at: datetime,
    action: str,
    more: Mapping[str, object] | None = None,
) -> AuditRow:
    """`SqlRegistry.promote` in the caller's transaction; `more` goes into the audit's payload."""
    record = _version(connection, version)
    champion = alias_in(connection, "champion")
    if champion != expected:
        raise ChampionMoved(f"the champion is {champion or 'none'}, not {expected or 'none'}; decide again")
    if champion == version:
        raise BadInputError(f"{version} is the champion already")
    failpoint("promote.before_champion")
    _set_alias(connection, "champion", version)
    failpoint("promote.champion_set")
    if champion is not None:
        _set_alias(connection, "previous", champion)
        failpoint("promote.previous_set")
    _set_state(connection, version, "promoted", record.verdict if verdict is None else verdict)
    failpoint("promote.state_set")
    row = audit.append(
        connection,
        at=at,
        actor=actor,
        action=action,
        version=version,
        previous=champion,
        reason=reason,
        payload={**({} if verdict is None else {"verdict": dict(verdict)}), **(more or {})},
    )
    failpoint("promote.audited")
    return row


def record_verdict_in(
    connection: Connection,
    version: str,
    state: str,
    verdict: Mapping[str, object],
    *,
    actor: str,
    reason: str,
    at: datetime,
    more: Mapping[str, object] | None = None,
) -> None:
    """`SqlRegistry.record_verdict` in the caller's transaction; `more` goes into the audit's payload."""
    record = _version(connection, version)
    champion = alias_in(connection, "champion")
    if champion == version:
        raise BadInputError(f"{version} is the champion; promote or roll back to another version first")
    if record.state == state and record.verdict == dict(verdict):
        return
    failpoint("verdict.before_state")
    _set_state(connection, version, state, verdict)
    failpoint("verdict.state_set")
    audit.append(
        connection,
        at=at,
        actor=actor,
        action=_ACTIONS[state],
        version=version,
        previous=champion,
        reason=reason,
        payload={"verdict": dict(verdict), **(more or {})},
    )
    failpoint("verdict.audited")


def _waiting(connection: Connection, version: str, wanted: str) -> VersionRecord:
    record = _version(connection, version)
    if record.state not in ("waiting", "shadow"):
        instead = {"promoted": "`sidwatch models rollback` brings the champion before it back"}.get(
            record.state, "`sidwatch models promote` overrules the gate"
        )
        raise BadInputError(
            f"{version} is {record.state} and does not wait for a person: it cannot be {wanted}; {instead}"
        )
    return record


def _select() -> Select[Any]:
    return select(*(t.version.c[name] for name in VersionRecord.__slots__))


def _record(row: Any) -> VersionRecord:
    return VersionRecord(*row)


def _version(connection: Connection, version: str) -> VersionRecord:
    row = connection.execute(_select().where(t.version.c.id == version)).first()
    if row is None:
        raise NotFoundError(f"there is no version {version}; see `sidwatch models list`")
    return _record(row)


def alias_in(connection: Connection, name: str) -> str | None:
    """The version that `champion` or `previous` names."""
    return connection.execute(select(t.alias.c.version).where(t.alias.c.name == name)).scalar()


def _set_alias(connection: Connection, name: str, version: str) -> None:
    if connection.execute(update(t.alias).where(t.alias.c.name == name).values(version=version)).rowcount == 0:
        connection.execute(insert(t.alias).values(name=name, version=version))


def _set_state(connection: Connection, version: str, state: str, verdict: Mapping[str, object] | None) -> None:
    values = {"state": state, "verdict": None if verdict is None else dict(verdict)}
    connection.execute(update(t.version).where(t.version.c.id == version).values(values))
