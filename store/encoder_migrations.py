"""Moves from one encoder to another: `daemon.ports.Migrations`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, delete, func, insert, select, update

from daemon.errors import BadInputError, ChampionMoved, NotFoundError, TemporaryError
from daemon.model import (
    UNFINISHED,
    AuditRow,
    EncodingFailure,
    Migration,
    MigrationCounts,
    MigrationState,
    PendingSample,
    Profile,
)
from store import tables as t
from store.clips import drop_clips
from store.database import Database, chunks
from store.layout import Layout
from store.parts import canonical_order
from store.registry import alias_in, promote_in, record_verdict_in
from store.shards import Shards
from store.statistics import revision_of, set_revision, unlearn
from store.vectors import vector_exists, vectors_complete

ACTOR = "gate"  # who decides over a migration, in the audit


class SqlMigrations:
    """Every step is one transaction that names the state it goes on from."""

    def __init__(self, database: Database, layout: Layout, shards: Shards) -> None:
        self._database = database
        self._layout = layout
        self._shards = shards

    def begin(
        self,
        *,
        from_fingerprint: str,
        to_fingerprint: str,
        from_settings: Mapping[str, Any] | None,
        to_settings: Mapping[str, Any],
        at: datetime,
    ) -> Migration:
        """Begin; the unfinished one to the same target is returned as it is.

        Raises BadInputError while another one is unfinished, ChampionMoved when the champion's encoder is not
        `from_fingerprint`.
        """
        with self._database.write(durable=True) as connection:
            there = connection.execute(_select().where(t.migration.c.unfinished == 1)).first()
            if there is not None:
                found = Migration(*there)
                if found.to_fingerprint == to_fingerprint:
                    return found
                raise BadInputError(
                    f"migration {found.id} to {found.to_settings.get('name')} ({found.to_fingerprint[:12]}) is under "
                    "way; let it end, or end it with `sidwatch reembed --cancel`"
                )
            champion = alias_in(connection, "champion")
            fingerprint = connection.execute(select(t.version.c.fingerprint).where(t.version.c.id == champion)).scalar()
            if fingerprint != from_fingerprint:
                raise ChampionMoved("the champion changed meanwhile; ask again")
            values = {
                "from_fingerprint": from_fingerprint,
                "to_fingerprint": to_fingerprint,
                "from_settings": None if from_settings is None else dict(from_settings),
                "to_settings": dict(to_settings),
                "state": UNFINISHED[0],
                "unfinished": 1,
                "began_at": at,
                "changed_at": at,
                "reason": "",
            }
            connection.execute(insert(t.migration).values(values))
            return Migration(*connection.execute(_select().where(t.migration.c.unfinished == 1)).one())

    def active(self) -> Migration | None:
        """The unfinished one."""
        with self._database.read() as connection:
            row = connection.execute(_select().where(t.migration.c.unfinished == 1)).first()
            return None if row is None else Migration(*row)

    def all(self) -> list[Migration]:
        """Every migration, oldest first."""
        with self._database.read() as connection:
            return [Migration(*row) for row in connection.execute(_select().order_by(t.migration.c.id))]

    def pending(self, migration: int, profile: Profile, limit: int) -> list[PendingSample]:
        """Active samples with a blob, without the target's vector, that did not fail; in canonical order."""
        s = t.sample.c
        with self._database.read() as connection:
            fingerprint = _migration(connection, migration).to_fingerprint
            query = (
                select(s.id, s.sha256)
                .where(s.state == "active", s.has_blob, ~vector_exists(fingerprint, profile), ~_failed(migration))
                .order_by(*canonical_order)
                .limit(limit)
            )
            return [PendingSample(row.id, row.sha256) for row in connection.execute(query)]

    def add_failures(self, migration: int, failures: Mapping[int, EncodingFailure]) -> None:
        """Sample id -> why the target cannot take its picture; noted once. The sample itself stays as it is."""
        f = t.migration_failure.c
        with self._database.write() as connection:
            known = set(connection.execute(select(f.sample_id).where(f.migration_id == migration)).scalars())
            rows = [
                {"migration_id": migration, "sample_id": sample, "reason": failure.reason, "detail": failure.detail}
                for sample, failure in failures.items()
                if sample not in known
            ]
            if rows:
                connection.execute(insert(t.migration_failure), rows)

    def counts(self, migration: int) -> MigrationCounts:
        """How far the target's vectors are."""
        s = t.sample.c
        with self._database.read() as connection:
            there = vectors_complete(_migration(connection, migration).to_fingerprint)
            failed = _failed(migration)
            query = select(
                func.count(),
                func.count(case((there, 1))),
                func.count(case((~there & s.has_blob & ~failed, 1))),
                func.count(case((~there & ~s.has_blob, 1))),
                func.count(case((~there & failed, 1))),
            ).select_from(t.sample)
            return MigrationCounts(*connection.execute(query.where(s.state == "active")).one())

    def know_origin(self, migration: int, settings: Mapping[str, Any]) -> None:
        """Note how the encoder in force is made, unless that is known."""
        m = t.migration.c
        with self._database.write(durable=True) as connection:
            connection.execute(
                update(t.migration)
                .where(m.id == migration, m.from_settings.is_(None))
                .values(from_settings=dict(settings))
            )

    def advance(
        self,
        migration: int,
        state: MigrationState,
        following: MigrationState,
        at: datetime,
        *,
        version: str | None = None,
        champion: str | None = None,
        verdict: Mapping[str, object] | None = None,
        reason: str = "",
    ) -> None:
        """From one state to another, with what was found out on the way."""
        values: dict[str, Any] = {"version": version, "champion": champion}
        values["verdict"] = None if verdict is None else dict(verdict)
        found = {name: value for name, value in values.items() if value is not None}
        with self._database.write(durable=True) as connection:
            _require(connection, migration, state)
            _set(connection, migration, following, at, reason=reason, **found)

    def switch(self, migration: int, at: datetime) -> AuditRow:
        """The judged version becomes champion: alias, audit row and state `switched` in one transaction.

        Raises ChampionMoved when the champion is not the one it was compared with.
        """
        with self._database.write(durable=True) as connection:
            row = _require(connection, migration, "judged")
            if row.version is None:
                raise BadInputError(f"migration {migration} has no version to switch to")
            audited = promote_in(
                connection,
                row.version,
                expected=row.champion,
                actor=ACTOR,
                reason=row.reason,
                verdict=row.verdict,
                at=at,
                action="promote",
                more={"migration": migration, "from": row.from_fingerprint, "to": row.to_fingerprint},
            )
            _set(connection, migration, "switched", at)
            return audited

    def turn_down(self, migration: int, state: MigrationState, at: datetime) -> None:
        """The judged version stays out: its state and verdict, an audit row and the migration in one transaction."""
        with self._database.write(durable=True) as connection:
            row = _require(connection, migration, "judged")
            record_verdict_in(
                connection,
                str(row.version),
                state,
                row.verdict or {},
                actor=ACTOR,
                reason=row.reason,
                at=at,
                more={"migration": migration},
            )
            _set(connection, migration, state, at)

    def cancel(self, migration: int, reason: str, at: datetime) -> None:
        """End an unfinished one. Raises BadInputError when it is finished."""
        with self._database.write(durable=True) as connection:
            row = _migration(connection, migration)
            if row.finished:
                raise BadInputError(f"migration {migration} is {row.state} already")
            _set(connection, migration, "cancelled", at, reason=reason)

    def purge(self, fingerprints: Collection[str], at: datetime) -> dict[str, int]:
        """Remove vectors and statistics of these encoders; returns how many of what.

        Their versions go on knowing what they learned, should the vectors ever be made anew.

        Raises BadInputError when one is needed: the champion's, the previous one's, that of an unfinished migration.
        """
        v, sh, s = t.vector.c, t.vector_shard.c, t.statistics.c
        with self._shards.steady:
            with self._database.write(durable=True) as connection:
                for fingerprint in sorted(set(fingerprints) & _needed(connection)):
                    raise BadInputError(f"encoder {fingerprint[:12]} is needed; its vectors stay")
                shards = connection.execute(select(sh.digest).where(sh.fingerprint.in_(fingerprints))).scalars().all()
                files = connection.execute(select(s.digest).where(s.fingerprint.in_(fingerprints))).scalars().all()
                vectors = connection.execute(delete(t.vector).where(v.fingerprint.in_(fingerprints))).rowcount
                connection.execute(delete(t.vector_shard).where(sh.fingerprint.in_(fingerprints)))
                connection.execute(delete(t.statistics).where(s.fingerprint.in_(fingerprints)))
                # Versions of these encoders go on knowing what they learned, should the vectors ever come back.
                for fingerprint in sorted(fingerprints):
                    _unlearn_all(connection, fingerprint, at)
                used = set(connection.execute(select(s.digest)).scalars())
            for digest in shards:
                self._shards.forget(digest)
            for digest in set(files) - used:
                self._layout.statistics_file(digest).unlink(missing_ok=True)
        return {"vectors": vectors, "shards": len(shards), "statistics": len(files)}

    def encoders(self) -> dict[str, int]:
        """Fingerprint -> samples that have its raw vector."""
        v = t.vector.c
        query = select(v.fingerprint, func.count()).where(v.profile == "raw").group_by(v.fingerprint)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query.order_by(v.fingerprint))}


def _unlearn_all(connection: Connection, fingerprint: str, at: datetime) -> None:
    """Every sample leaves the encoder's statistics, as if each were taken out by a revision of its own."""
    drop_clips(connection, fingerprint)
    learned = t.learned.c
    ids = connection.execute(select(learned.sample_id).where(learned.fingerprint == fingerprint)).scalars().all()
    if ids:
        revision = revision_of(connection, fingerprint) + 1
        unlearn(connection, fingerprint, ids, revision)
        set_revision(connection, fingerprint, revision, at)


def _select() -> Select[Any]:
    return select(*(t.migration.c[name] for name in Migration.__slots__))


def _migration(connection: Connection, migration: int) -> Migration:
    row = connection.execute(_select().where(t.migration.c.id == migration)).first()
    if row is None:
        raise NotFoundError(f"there is no migration {migration}")
    return Migration(*row)


def _require(connection: Connection, migration: int, state: MigrationState) -> Migration:
    found = _migration(connection, migration)
    if found.state != state:
        raise TemporaryError(f"migration {migration} is {found.state} by now, not {state}")
    return found


def _set(connection: Connection, migration: int, state: MigrationState, at: datetime, **values: Any) -> None:
    values |= {"state": state, "changed_at": at, "unfinished": 1 if state in UNFINISHED else None}
    connection.execute(update(t.migration).where(t.migration.c.id == migration).values(values))


def _failed(migration: int) -> Any:
    """A correlated condition on `sample`: the migration's target cannot take its picture."""
    f = t.migration_failure.c
    return (
        select(f.sample_id)
        .where(f.migration_id == migration, f.sample_id == t.sample.c.id)
        .correlate(t.sample)
        .exists()
    )


def _needed(connection: Connection) -> set[str]:
    versions = [alias_in(connection, name) for name in ("champion", "previous")]
    m = t.migration.c
    unfinished = connection.execute(select(m.from_fingerprint, m.to_fingerprint).where(m.unfinished == 1)).all()
    found: set[str] = {fingerprint for row in unfinished for fingerprint in row}
    for part in chunks([version for version in versions if version is not None]):
        found |= set(connection.execute(select(t.version.c.fingerprint).where(t.version.c.id.in_(part))).scalars())
    return found
