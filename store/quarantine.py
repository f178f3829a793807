"""Quarantine: what is set apart, and a person's word that it is let in again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update

from daemon.errors import BadInputError, NotFoundError
from daemon.model import Claim, QuarantinedSample
from store import audit
from store import tables as t
from store.database import chunks
from store.deciding import read_deliveries
from store.parts import Part, canonical_order, count_outcome

_SETTLED_OTHERWISE = "label_conflict"  # only a person's word on the label ends it


class Quarantine(Part):
    """Lists what is in quarantine, and releases it."""

    def quarantined(self, limit: int, offset: int = 0, reason: str | None = None) -> list[QuarantinedSample]:
        """The samples in quarantine, in the order of their deliveries; see `daemon.ports.SampleStore.quarantined`."""
        s = t.sample.c
        query = (
            select(s.id, s.sha256, s.reason, s.detail, s.quarantined_at, s.delivered_at, s.has_blob)
            .where(*_set_apart(reason))
            .order_by(*canonical_order)
            .limit(limit)
            .offset(offset)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            deliveries = read_deliveries(connection, [row.id for row in rows])
        return [
            QuarantinedSample(
                sha256=row.sha256,
                reason=row.reason,
                detail=row.detail,
                since=row.quarantined_at or row.delivered_at,
                has_blob=row.has_blob,
                claims=tuple(
                    Claim(one.adapter, one.uri, one.label, one.family, one.source) for one in deliveries.get(row.id, [])
                ),
            )
            for row in rows
        ]

    def release(self, sha256s: Sequence[str], actor: str, reason: str, at: datetime) -> int:
        """Let samples in again, audited; see `daemon.ports.SampleStore.release`."""
        s = t.sample.c
        with self._database.write(durable=True) as connection:
            done = []
            for sha256 in sha256s:
                row = connection.execute(select(s.id, s.state, s.reason).where(s.sha256 == sha256)).first()
                if row is None:
                    raise NotFoundError(f"there is no sample {sha256[:12]}; `sidwatch quarantine list` shows them")
                if row.state != "quarantined":
                    raise BadInputError(f"sample {sha256[:12]} is {row.state}, not in quarantine")
                if row.reason == _SETTLED_OTHERWISE:
                    raise BadInputError(
                        f"deliveries of sample {sha256[:12]} contradict each other: say what it is "
                        "(`sidwatch samples relabel`), and it is let in"
                    )
                let_in(connection, [row.id])
                done.append({"sha256": sha256, "reason": row.reason})
            if done:
                audit.append(
                    connection,
                    at=at,
                    actor=actor,
                    action="quarantine_release",
                    version=None,
                    previous=None,
                    reason=reason,
                    payload={"samples": done},
                )
            return len(done)

    def quarantined_count(self, reason: str | None = None) -> int:
        """How many samples are in quarantine, for that reason alone when one is given."""
        query = select(func.count()).where(*_set_apart(reason))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())


def _set_apart(reason: str | None) -> list[ColumnElement[bool]]:
    s = t.sample.c
    return [s.state == "quarantined", *([] if reason is None else [s.reason == reason])]


def set_apart(connection: Connection, why: Mapping[int, str], reason: str, at: datetime) -> None:
    """Put active samples (id -> detail) into quarantine, counted for the adapters that brought them first."""
    s = t.sample.c
    if not why:
        return
    rows = [{"b_id": sample_id, "detail": detail} for sample_id, detail in sorted(why.items())]
    values = {"state": "quarantined", "reason": reason, "quarantined_at": at, "detail": bindparam("detail")}
    connection.execute(update(t.sample).where(s.id == bindparam("b_id")).values(values), rows)
    counted: Counter[int] = Counter()
    for ids in chunks(why):
        query = select(s.adapter_id, func.count()).where(s.id.in_(ids)).group_by(s.adapter_id)
        counted.update({row[0]: row[1] for row in connection.execute(query)})
    for adapter_id, count in sorted(counted.items()):
        count_outcome(connection, adapter_id, "quarantined", Counter({reason: count}))


def let_in(connection: Connection, ids: Collection[int]) -> None:
    """Take samples out of quarantine."""
    values = {"state": "active", "reason": None, "detail": "", "quarantined_at": None}
    for part in chunks(ids):
        connection.execute(update(t.sample).where(t.sample.c.id.in_(part)).values(values))


def digests_of(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """The sha256 of each sample."""
    s = t.sample.c
    return {
        row.id: row.sha256
        for part in chunks(ids)
        for row in connection.execute(select(s.id, s.sha256).where(s.id.in_(part)))
    }
