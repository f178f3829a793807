"""Everything that is known of one sample."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select

from daemon.corrections.model import ClippedFacts, DeliveryFacts, LearnedFacts, RelabelFacts, SampleFacts, ScoreFacts
from daemon.errors import BadInputError, NotFoundError
from daemon.model import FileFacts, Subject
from store import tables as t
from store.database import chunks
from store.deciding import read_deliveries, read_relabels
from store.parts import Part, with_subject

_NAMED = 20  # samples spelt out when a prefix fits several


class LooksAtSamples(Part):
    """Reads only."""

    def samples_named(self, prefixes: Sequence[str]) -> list[str]:
        """The sha256 of each sample, by its beginning; see `daemon.ports.Corrections.samples_named`."""
        with self._database.read() as connection:
            return [_the_one(connection, prefix) for prefix in prefixes]

    def sample_facts(self, prefix: str) -> SampleFacts:
        """The sample whose sha256 begins so; see `daemon.ports.Corrections.sample_facts`."""
        s = t.sample.c
        columns = (
            t.sample,
            t.source.c.name.label("source"),
            t.source.c.trust,
            t.sample_group.c.key,
            t.sample_group.c.split,
            t.sample_group.c.fold,
            t.family.c.name.label("family"),
            t.family.c.anchored_at,
        )
        with self._database.read() as connection:
            named = s.sha256 == _the_one(connection, prefix)
            row = connection.execute(select(*columns).select_from(with_subject()).where(named)).one()
            sample_id = row.id
            return SampleFacts(
                sha256=row.sha256,
                label=row.label,
                label_from=row.label_from,
                family=row.family,
                source=row.source,
                trust=row.trust,
                group=row.key,
                split=row.split,
                fold=row.fold,
                state=row.state,
                reason=row.reason,
                detail=row.detail,
                format=row.format,
                width=row.width,
                height=row.height,
                size=row.size,
                facts=None if row.facts is None else FileFacts(**row.facts),
                has_blob=row.has_blob,
                delivered_at=row.delivered_at,
                vectors=_vectors(connection, sample_id),
                deliveries=_deliveries(connection, sample_id),
                scores=_scores(connection, sample_id),
                learned=_learned(connection, sample_id),
                clipped=_clipped(connection, sample_id),
                relabelled=_relabelled(connection, sample_id),
                never_learned=row.trust == "untrusted" or (row.label == "synthetic" and row.anchored_at is not None),
            )

    def pictures_of(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """The sha256 of those whose picture is kept; see `daemon.ports.SampleStore.pictures_of`."""
        s = t.sample.c
        found: dict[int, str] = {}
        with self._database.read() as connection:
            for ids in chunks(sample_ids):
                query = select(s.id, s.sha256).where(s.id.in_(ids), s.has_blob, s.state == "active")
                found.update((row.id, row.sha256) for row in connection.execute(query))
        return found

    def has_picture(self, sha256: str) -> bool:
        """Whether the picture is kept; see `daemon.ports.SampleStore.has_picture`."""
        s = t.sample.c
        query = select(s.id).where(s.sha256 == sha256, s.has_blob, s.state != "forgotten")
        with self._database.read() as connection:
            return connection.execute(query).first() is not None


def _the_one(connection: Connection, prefix: str) -> str:
    s = t.sample.c
    begins_so = and_(s.sha256 >= prefix, s.sha256 < prefix + "g")  # "g" is after every hexadecimal digit
    found = connection.execute(select(s.sha256).where(begins_so).order_by(s.sha256).limit(_NAMED)).scalars().all()
    if not found:
        raise NotFoundError(f"there is no sample whose sha256 begins with {prefix!r}")
    if len(found) > 1:
        fit = ", ".join([sha256[: len(prefix) + 8] for sha256 in found] + ["..."] * (len(found) == _NAMED))
        raise BadInputError(f"{prefix!r} fits several samples ({fit}); say more of it")
    return str(found[0])


def _vectors(connection: Connection, sample_id: int) -> dict[str, int]:
    v = t.vector.c
    query = select(v.fingerprint).where(v.sample_id == sample_id).order_by(v.fingerprint)
    found: dict[str, int] = {}
    for fingerprint in connection.execute(query).scalars():
        found[fingerprint] = found.get(fingerprint, 0) + 1
    return found


def _deliveries(connection: Connection, sample_id: int) -> tuple[DeliveryFacts, ...]:
    return tuple(
        DeliveryFacts(row.adapter, row.uri, row.label, row.family, row.source, row.released, row.trust, row.at)
        for row in read_deliveries(connection, [sample_id]).get(sample_id, [])
    )


def _scores(connection: Connection, sample_id: int) -> tuple[ScoreFacts, ...]:
    s = t.score.c
    query = select(s.version, s.profile, s.logit, s.learned, s.at).where(s.sample_id == sample_id)
    return tuple(ScoreFacts(*row) for row in connection.execute(query.order_by(s.at, s.version, s.profile)))


def _learned(connection: Connection, sample_id: int) -> tuple[LearnedFacts, ...]:
    learned = t.learned.c
    query = (
        select(learned.fingerprint, learned.subject_kind, learned.subject_name, learned.revision, learned.raw_left_out)
        .where(learned.sample_id == sample_id)
        .order_by(learned.fingerprint)
    )
    return tuple(LearnedFacts(row[0], Subject(row[1], row[2]), row[3], row[4]) for row in connection.execute(query))


def _clipped(connection: Connection, sample_id: int) -> tuple[ClippedFacts, ...]:
    c = t.clipped.c
    query = select(c.fingerprint, c.subject_kind, c.subject_name, c.version, c.spreads).where(c.sample_id == sample_id)
    return tuple(
        ClippedFacts(row[0], Subject(row[1], row[2]), row[3], row[4])
        for row in connection.execute(query.order_by(c.fingerprint))
    )


def _relabelled(connection: Connection, sample_id: int) -> RelabelFacts | None:
    relabel = read_relabels(connection, [sample_id]).get(sample_id)
    if relabel is None:
        return None
    a = t.audit.c
    said = select(a.actor, a.reason, a.at).join(t.relabelled, t.relabelled.c.correction == a.number)
    row = connection.execute(said.where(t.relabelled.c.sample_id == sample_id)).one()
    return RelabelFacts(relabel, row.actor, row.reason, row.at)
