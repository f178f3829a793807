"""What is pushed over HTTP: one delivery and its receipt, in one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from daemon.errors import BadInputError, TemporaryError
from daemon.model import PUSH, Admission, Pushed, Trust
from store import tables as t
from store.intake import Batch
from store.reports import Reports


class Pushes(Reports):
    """Takes single deliveries and answers for them again."""

    def pushed(self, uri: str, said: str) -> Pushed | None:
        """The receipt of an earlier push; see `daemon.ports.SampleStore.pushed`."""
        with self._database.read() as connection:
            return _earlier(connection, uri, said)

    def push(
        self,
        admission: Admission,
        trust: Trust,
        said: str,
        at: datetime,
        *,
        since: datetime,
        per_day: int | None,
    ) -> Pushed:
        """One pushed sample, in one transaction; see `daemon.ports.SampleStore.push`."""
        content = admission.candidate.content
        blobs = [(admission.sha256, content)] if admission.reason is None and content is not None else []
        self._blobs.put(blobs)
        with self._database.write(durable=True) as connection:
            earlier = _earlier(connection, admission.candidate.uri, said)
            if earlier is not None:
                return earlier
            _check_limit(connection, since, per_day)
            self._blobs.put(blobs)  # once more, for `forget` removes files in a transaction: so not now
            batch = Batch(connection, PUSH, trust, at)
            batch.load([admission])
            known = admission.sha256 in batch.before and batch.before[admission.sha256].state != "forgotten"
            batch.take(admission)
            if batch.deliveries and batch.deliveries[-1]["reason"] is None:
                batch.deliveries[-1]["detail"] = said
            batch.store(self._shares, self._shards, None, self._hashes)
            done = _receipt(connection, batch, admission, known)
        self._remember_late_pictures(batch)
        return done


def _check_limit(connection: Connection, since: datetime, per_day: int | None) -> None:
    if per_day is None:
        return
    d = t.delivery.c
    counted = select(func.count()).select_from(t.delivery.join(t.adapter, t.adapter.c.id == d.adapter_id))
    if connection.execute(counted.where(t.adapter.c.name == PUSH, d.at >= since)).scalar_one() >= per_day:
        raise TemporaryError(
            f"{per_day} samples were pushed today, which is push.per_day; try again after midnight UTC"
        )


def _earlier(connection: Connection, uri: str, said: str) -> Pushed | None:
    """What became of the accepted push of that name. Raises BadInputError when it said something else."""
    d, s = t.delivery.c, t.sample.c
    query = (
        select(d.id, d.sha256, d.detail.label("said"), s.id.label("sample_id"), s.state, s.reason, s.detail)
        .select_from(t.delivery.join(t.adapter, t.adapter.c.id == d.adapter_id).join(t.sample, s.id == d.sample_id))
        .where(t.adapter.c.name == PUSH, d.uri == uri, d.reason.is_(None))
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.said != said:
        raise BadInputError("this idempotency key stands for another sample; take a new one")
    if row.state == "quarantined":
        return Pushed(row.id, row.sha256, "quarantined", row.reason, row.detail, repeated=True)
    first = connection.execute(select(func.min(d.id)).where(d.sample_id == row.sample_id)).scalar_one()
    return Pushed(row.id, row.sha256, "stored" if first == row.id else "known", repeated=True)


def _receipt(connection: Connection, batch: Batch, admission: Admission, known: bool) -> Pushed:
    d = t.delivery.c
    named = (d.adapter_id == batch.adapter_id, d.uri == admission.candidate.uri, d.sha256 == admission.sha256)
    row = connection.execute(select(d.id, d.reason, d.detail).where(*named)).one()
    if row.reason is not None:
        detail = row.detail if admission.reason else f"{row.detail}; it was refused before: send it under another key"
        return Pushed(row.id, admission.sha256, "rejected", row.reason, detail, repeated=not batch.deliveries)
    draft = batch.drafts[admission.sha256]
    if draft.state != "active":
        return Pushed(row.id, draft.sha256, "quarantined", draft.reason, draft.detail)
    return Pushed(row.id, draft.sha256, "known" if known else "stored")
