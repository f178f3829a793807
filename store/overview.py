"""What people look at: counts and dates."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import case, func, or_, select

from daemon.model import AdapterRow, FamilyFlags, FamilyRow, Split, Subject
from store import tables as t
from store.parts import Part, labelled, subject_ids, subject_kind, subject_name, with_subject
from store.scores import scored_by_us
from store.vectors import vector_exists, vectors_complete

_TRUST = ("untrusted", "known", "trusted")  # lowest first


class Overview(Part):
    """Reads only."""

    def subjects(self) -> list[FamilyRow]:
        """Every family and real source with an active labelled sample; trust is the lowest of its samples' sources."""
        s = t.sample.c
        rank = case({name: number for number, name in enumerate(_TRUST)}, value=t.source.c.trust)
        group = t.sample_group.c
        query = (
            select(
                subject_kind,
                subject_name,
                func.min(case((s.label == "synthetic", t.family.c.kind))).label("kind"),
                func.min(case((s.label == "synthetic", t.family.c.released))).label("released"),
                func.min(rank).label("rank"),
                func.min(s.delivered_at).label("first_seen"),
                func.max(s.delivered_at).label("last_sample_at"),
                func.count().label("samples"),
                func.count(group.id.distinct()).label("groups"),
                func.count(case((group.split == "holdout", group.id)).distinct()).label("holdout_groups"),
                func.count(case((t.source.c.trust == "trusted", t.source.c.id)).distinct()).label("trusted_sources"),
                func.count(case((t.source.c.trust == "known", t.source.c.id)).distinct()).label("known_sources"),
                func.count(case((s.label == "synthetic", t.family.c.anchored_at))).label("anchored"),
                func.count(case((s.label == "synthetic", t.family.c.retired_at))).label("retired"),
            )
            .select_from(with_subject())
            .where(labelled)
            .group_by(subject_kind, subject_name)
            .order_by(subject_kind, subject_name)
        )
        with self._database.read() as connection:
            return [
                FamilyRow(
                    subject=Subject(row.subject_kind, row.subject_name),
                    kind=row.kind,
                    released=row.released,
                    trust=_TRUST[row.rank],  # type: ignore[arg-type]
                    first_seen=row.first_seen,
                    last_sample_at=row.last_sample_at,
                    samples=row.samples,
                    groups=row.groups,
                    holdout_groups=row.holdout_groups,
                    trusted_sources=row.trusted_sources,
                    known_sources=row.known_sources,
                    anchor=row.anchored > 0,
                    retired=row.retired > 0,
                )
                for row in connection.execute(query)
            ]

    def family_flags(self) -> dict[Subject, FamilyFlags]:
        """Every family with an active labelled sample."""
        s, f = t.sample.c, t.family.c
        own = select(s.id).where(s.family_id == f.id, s.label == "synthetic", s.state == "active")
        query = select(f.name, f.anchored_at, f.retired_at).where(own.exists())
        with self._database.read() as connection:
            return {
                Subject("family", name): FamilyFlags(anchored is not None, retired is not None)
                for name, anchored, retired in connection.execute(query)
            }

    def group_counts(
        self, *, split: Split | None = None, subjects: Collection[Subject] | None = None
    ) -> dict[Subject, int]:
        """Groups of each family and real source, on one side of the split or on all."""
        s, group = t.sample.c, t.sample_group.c
        number = case((s.label == "real", s.source_id), else_=s.family_id)
        query = select(s.label, number, func.count(s.group_id.distinct())).where(labelled).group_by(s.label, number)
        if split is not None:
            query = query.join(t.sample_group, group.id == s.group_id).where(group.split == split)
        with self._database.read() as connection:
            names = {"real": subject_ids(connection, "source"), "synthetic": subject_ids(connection, "family")}
            if subjects is not None:
                sources, families = (
                    [own for own, subject in names[label].items() if subject in subjects] for label in names
                )
                asked = (
                    (s.label == "real") & s.source_id.in_(sources),
                    (s.label == "synthetic") & s.family_id.in_(families),
                )
                query = query.where(or_(*asked))
            return {names[label][own]: count for label, own, count in connection.execute(query)}

    def adapters(self) -> list[AdapterRow]:
        """Every adapter that delivered or was polled, by name."""
        a, r, c = t.adapter.c, t.rejection.c, t.circuit.c
        with self._database.read() as connection:
            counts: dict[tuple[int, str], dict[str, int]] = {}
            for row in connection.execute(
                select(r.adapter_id, r.outcome, r.reason, r.count).order_by(r.adapter_id, r.outcome, r.reason)
            ):
                counts.setdefault((row[0], row[1]), {})[row[2]] = row[3]
            return [
                AdapterRow(
                    name=row.name,
                    cursor=row.cursor,
                    last_success_at=row.last_success_at,
                    stored=row.stored,
                    rejected=counts.get((row.id, "rejected"), {}),
                    quarantined=counts.get((row.id, "quarantined"), {}),
                    failures=row.failures or 0,
                    retry_at=row.retry_at,
                    failure=row.failure or "",
                )
                for row in connection.execute(
                    select(t.adapter, c.failures, c.retry_at, c.failure)
                    .outerjoin(t.circuit, c.adapter_id == a.id)
                    .order_by(a.name)
                )
            ]

    def queue(self, fingerprint: str) -> dict[str, tuple[int, datetime | None]]:
        """Stage (embed, score) -> how many samples wait and since when the oldest."""
        s = t.sample.c
        raw, laundered = vector_exists(fingerprint, "raw"), vector_exists(fingerprint, "laundered")
        stages = {
            "embed": s.has_blob & ~(raw & laundered),
            "score": vectors_complete(fingerprint) & ~scored_by_us(),
        }
        with self._database.read() as connection:
            waiting: dict[str, tuple[int, datetime | None]] = {}
            for stage, condition in stages.items():
                query = select(func.count(), func.min(s.delivered_at)).where(s.state == "active", condition)
                count, oldest = connection.execute(query).one()
                waiting[stage] = (count, oldest)
            return waiting

    def quarantine_counts(self) -> dict[str, int]:
        """Reason -> quarantined samples."""
        s = t.sample.c
        query = select(s.reason, func.count()).where(s.state == "quarantined").group_by(s.reason)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def sample_counts(self) -> dict[str, int]:
        """active, quarantined, total."""
        query = select(t.sample.c.state, func.count()).group_by(t.sample.c.state)
        with self._database.read() as connection:
            by_state = {row[0]: row[1] for row in connection.execute(query)}
        active, quarantined = by_state.get("active", 0), by_state.get("quarantined", 0)
        return {"active": active, "quarantined": quarantined, "total": active + quarantined}
