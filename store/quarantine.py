"""Quarantine: what is set apart, and a person's word that it is let in again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update

from daemon.errors import BadInputError
from daemon.model import Claim, QuarantinedSample
from store import audit
from store import tables as t
from store.deciding import read_deliveries
from store.parts import Part, canonical_order

_SETTLED_OTHERWISE = "label_conflict"  # only a person's word on the label ends it


class Quarantine(Part):
    """Lists what is in quarantine, and releases it."""

    def quarantined(self, limit: int, offset: int = 0) -> list[QuarantinedSample]:
        """The samples in quarantine, in the order of their deliveries; see `daemon.ports.SampleStore.quarantined`."""
        s = t.sample.c
        query = (
            select(s.id, s.sha256, s.reason, s.detail, s.quarantined_at, s.delivered_at, s.has_blob)
            .where(s.state == "quarantined")
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
                    raise BadInputError(f"there is no sample {sha256[:12]}; `sidwatch quarantine list` shows them")
                if row.state != "quarantined":
                    raise BadInputError(f"sample {sha256[:12]} is {row.state}, not in quarantine")
                if row.reason == _SETTLED_OTHERWISE:
                    raise BadInputError(
                        f"deliveries of sample {sha256[:12]} contradict each other: say what it is "
                        "(`sidwatch samples relabel`), and it is let in"
                    )
                values = {"state": "active", "reason": None, "detail": "", "quarantined_at": None}
                connection.execute(update(t.sample).where(s.id == row.id).values(values))
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

    def quarantined_count(self) -> int:
        """How many samples are in quarantine."""
        query = select(func.count()).where(t.sample.c.state == "quarantined")
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())
