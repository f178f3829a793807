"""Forgetting: what was delivered goes out of every figure in one transaction, its bytes follow."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from daemon.errors import TemporaryError
from daemon.model import ForgetCounts, ForgetRecord, ForgetTarget
from store import audit
from store import tables as t
from store.corrections import follow_labels
from store.database import chunks
from store.deciding import decide_anew, subjects_by_id
from store.files import remove_files
from store.forget_targets import matching
from store.sweep import unreferenced_by_rows
from store.vectors import Vectors

# A forgotten sample keeps its id, so that no other one ever gets it, its digest and its group.
_BLANK: dict[str, Any] = {
    "state": "forgotten",
    "size": 0,
    "width": None,
    "height": None,
    "format": None,
    "phash": None,
    "facts": None,
    "label": None,
    "label_from": None,
    "family_id": None,
    "caption": None,
    "reason": None,
    "detail": "",
    "quarantined_at": None,
}


class Forgetting(Vectors):
    """Forgets deliveries, and samples that nobody else delivered."""

    def forget_preview(self, target: ForgetTarget) -> ForgetCounts:
        """What `forget` would take away now."""
        with self._database.read() as connection:
            return _Removal(connection, target).counts

    def forget(self, target: ForgetTarget, reason: str, actor: str, at: datetime) -> ForgetRecord | None:
        """Take what was delivered out of every figure; see `daemon.ports.SampleStore.forget`."""
        with self._database.write(durable=True) as connection:
            removal = _Removal(connection, target)
            if not removal.deliveries:
                return None
            removal.carry_out(at, note=f"forgotten: {reason}")
            counts = asdict(removal.counts)
            values = {"kind": target.kind, "name": target.name, "reason": reason, "actor": actor, "at": at}
            connection.execute(insert(t.forget).values(**values, **counts, state="taken_out"))
            audit.append(
                connection,
                at=at,
                actor=actor,
                action="forget",
                version=None,
                previous=None,
                reason=reason,
                payload={"kind": target.kind, "name": target.name, **counts},
            )
            return _records(connection)[-1]

    def forgets(self) -> list[ForgetRecord]:
        """Every forgetting, oldest first."""
        with self._database.read() as connection:
            return _records(connection)

    def erase_forgotten(self, at: datetime) -> int:
        """Delete the bytes of what was taken out; see `daemon.ports.SampleStore.erase_forgotten`.

        Every step finds its work in the rows, so a process that is killed at any of them leaves the rest to the next.
        """
        s, f = t.sample.c, t.forget.c
        forgotten = select(s.id).where(s.state == "forgotten")
        with self._database.read() as connection:
            begun = connection.execute(select(f.id).where(f.state != "done")).scalars().all()
            if not begun:
                return 0
            if _holds(connection, t.learned):
                raise TemporaryError("the statistics still hold what is to be forgotten; the next cycle takes it out")
        self._rewrite_shards()
        # In a transaction nobody else is between a file and its row, and a picture that is delivered again waits.
        with self._shards.steady, self._database.write(durable=True) as connection:
            # The command beside a running service may have forgotten more since: that is subtracted first.
            if _holds(connection, t.learned) or _holds(connection, t.vector):
                return 0
            connection.execute(delete(t.score).where(t.score.c.sample_id.in_(forgotten)))
            with_blob = select(s.sha256).where(s.state == "forgotten", s.has_blob)
            pictures = [self._layout.blob(sha256) for sha256 in connection.execute(with_blob).scalars()]
            remove_files(pictures + unreferenced_by_rows(connection, self._layout))
            connection.execute(update(t.sample).where(s.state == "forgotten", s.has_blob).values(has_blob=False))
            gone: int = sum(connection.execute(select(f.gone).where(f.id.in_(begun))).scalars())
            connection.execute(update(t.forget).where(f.id.in_(begun)).values(state="done", done_at=at))
        self._database.fold_log()
        return gone


def _holds(connection: Connection, table: Table) -> bool:
    """Whether the table has a row of a sample that was forgotten."""
    forgotten = select(t.sample.c.id).where(t.sample.c.state == "forgotten")
    return (
        connection.execute(select(table.c.sample_id).where(table.c.sample_id.in_(forgotten)).limit(1)).first()
        is not None
    )


class _Removal:
    """The deliveries that go, and what that means for their samples."""

    def __init__(self, connection: Connection, target: ForgetTarget) -> None:
        self.connection = connection
        d = t.delivery.c
        self.deliveries = matching(connection, target)
        doomed = {row.id for row in self.deliveries}
        touched = sorted({row.sample_id for row in self.deliveries if row.sample_id is not None})
        left: set[int] = set()
        for ids in chunks(touched):
            others = connection.execute(select(d.id, d.sample_id).where(d.sample_id.in_(ids)))
            left.update(row.sample_id for row in others if row.id not in doomed)
        self.left = sorted(left)  # samples that have other deliveries
        self.gone = [sample_id for sample_id in touched if sample_id not in left]

    @property
    def counts(self) -> ForgetCounts:
        learned = t.learned.c.sample_id
        known = 0
        for ids in chunks([*self.gone, *self.left]):
            known += self.connection.execute(
                select(func.count(learned.distinct())).where(learned.in_(ids))
            ).scalar_one()
        return ForgetCounts(len(self.deliveries), len(self.gone), len(self.left), known)

    def carry_out(self, at: datetime, *, note: str) -> None:
        connection = self.connection
        before = subjects_by_id(connection, self.gone)
        for ids in chunks(row.id for row in self.deliveries):
            connection.execute(delete(t.delivery).where(t.delivery.c.id.in_(ids)))
        for adapter, count in Counter(row.adapter_id for row in self.deliveries).items():
            a = t.adapter.c
            connection.execute(update(t.adapter).where(a.id == adapter).values(deliveries=a.deliveries - count))
        for source in {row.source for row in self.deliveries}:
            _decide_trust(connection, source)
        for ids in chunks(self.gone):
            for table in (t.score, t.relabelled, t.clipped):
                connection.execute(delete(table).where(table.c.sample_id.in_(ids)))
            connection.execute(update(t.sample).where(t.sample.c.id.in_(ids)).values(_BLANK))
        decided = decide_anew(connection, self.left, at)
        follow_labels(connection, {*before.values(), *decided.subjects}, note)


def _decide_trust(connection: Connection, source: str) -> None:
    """The lowest trust of the deliveries that are left; unknown (NULL) ones leave it as it is."""
    d = t.delivery.c
    left = set(connection.execute(select(d.trust).where(d.source == source, d.reason.is_(None)).distinct()).scalars())
    lowest = next((trust for trust in ("untrusted", "known") if trust in left), "trusted")
    if None not in left:
        connection.execute(update(t.source).where(t.source.c.name == source).values(trust=lowest))


def _records(connection: Connection) -> list[ForgetRecord]:
    rows = connection.execute(select(t.forget).order_by(t.forget.c.id))
    return [
        ForgetRecord(
            row.id,
            ForgetTarget(row.kind, row.name),
            row.reason,
            row.actor,
            row.at,
            row.state,
            ForgetCounts(row.deliveries, row.gone, row.kept, row.learned),
        )
        for row in rows
    ]
