"""What people report of pictures: a delivery like any other, with its row in the audit."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, or_, select

from daemon.errors import BadInputError
from daemon.model import FEEDBACK, Admission, Reported, Trust
from store import audit
from store import tables as t
from store.draft import Draft
from store.intake import Batch, Intake


class Reports(Intake):
    """Takes reports, and knows which labels came from them."""

    def report(self, admission: Admission, trust: Trust, actor: str, note: str, at: datetime) -> Reported:
        """One report, in one transaction; see `daemon.ports.SampleStore.report`."""
        content = admission.candidate.content
        blobs = [(admission.sha256, content)] if admission.reason is None and content is not None else []
        self._blobs.put(blobs)
        with self._database.write(durable=True) as connection:
            self._blobs.put(blobs)  # once more, for `forget` removes files in a transaction: so not now
            batch = Batch(connection, FEEDBACK, trust, at)
            batch.load([admission])
            before = batch.before.get(admission.sha256)
            _check(connection, batch, admission, before)
            batch.take(admission)
            if batch.deliveries and admission.reason is None:
                batch.deliveries[-1]["detail"] = note
            batch.store(self._shares, self._shards, None, self._hashes)
            done = _outcome(batch, admission, before)
            if not done.repeated and done.outcome != "rejected":
                claim = admission.candidate
                audit.append(
                    connection,
                    at=at,
                    actor=actor,
                    action="feedback",
                    version=None,
                    previous=None,
                    reason=note,
                    payload={
                        "sha256": done.sha256,
                        "label": claim.label,
                        "family": claim.family,
                        "outcome": done.outcome,
                        "why": done.reason,
                    },
                )
        self._remember_late_pictures(batch)
        return done

    def reported(self) -> set[int]:
        """Ids of the active samples that were picked by a detector's error; see `daemon.ports.SampleStore.reported`."""
        s, other = t.sample.c, t.sample.alias().c
        elsewhere = select(other.family_id).where(
            other.state == "active", other.family_id.is_not(None), other.label_from != FEEDBACK
        )
        query = select(s.id).where(
            s.state == "active", s.label_from == FEEDBACK, or_(s.label == "real", s.family_id.in_(elsewhere))
        )
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())


def _check(connection: Connection, batch: Batch, admission: Admission, before: Draft | None) -> None:
    """Raises BadInputError for a picture that nobody has, and for a key that stands for another report."""
    claim = admission.candidate
    if claim.content is None and admission.reason is None and (before is None or before.state == "forgotten"):
        raise BadInputError(
            f"no picture with the sha256 {admission.sha256[:12]}… was ever taken in; send the picture itself"
        )
    d = t.delivery.c
    same = and_(d.sha256 == admission.sha256, d.label == claim.label, d.family.is_not_distinct_from(claim.family))
    query = select(d.id).where(d.adapter_id == batch.adapter_id, d.uri == claim.uri, ~same)
    if admission.reason is None and connection.execute(query).first() is not None:
        raise BadInputError("this idempotency key stands for another report; take a new one")


def _outcome(batch: Batch, admission: Admission, before: Draft | None) -> Reported:
    repeated = not batch.deliveries
    if admission.reason is not None:
        return Reported(admission.sha256, "rejected", admission.reason, admission.detail, repeated)
    draft = batch.drafts[admission.sha256]
    if draft.state != "active":
        return Reported(draft.sha256, "quarantined", draft.reason, draft.detail, repeated)
    new = before is None or before.state == "forgotten" or before.label is None
    return Reported(draft.sha256, "stored" if new and not repeated else "known", repeated=repeated)
