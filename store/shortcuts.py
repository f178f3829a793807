"""The shortcut audit: what is known of files, what was found of batches, and what statistics left out for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, case, func, insert, select, update

from daemon.model import BatchAudit, BatchCount, BatchKey, Event, FileFacts, FileRow, LeftOut, Subject
from store import tables as t
from store.database import columns
from store.events import insert_event
from store.parts import Part, labelled, subject_ids, subject_kind, subject_name, with_subject


class Shortcuts(Part):
    """Reads file facts; writes and reads audits."""

    def file_rows(self, most: int) -> list[FileRow]:
        """Labelled active samples with file facts, at most so many of each batch; see `daemon.ports.SampleStore`."""
        s, group, source = t.sample.c, t.sample_group.c, t.source.c
        batch = (subject_kind, subject_name, source.name)
        place = func.row_number().over(partition_by=batch, order_by=s.sha256).label("place")
        columns: list[Any] = [
            s.id, subject_kind, subject_name, source.name.label("source"), source.trust, group.key, group.fold,
            s.format, s.width, s.height, s.size, s.facts, s.sha256, place,
        ]  # fmt: skip
        every = select(*columns).select_from(with_subject()).where(labelled, s.facts.is_not(None)).subquery()
        e = every.c
        query = select(every).where(e.place <= most).order_by(e.subject_kind, e.subject_name, e.source, e.sha256)
        with self._database.read() as connection:
            return [
                FileRow(
                    sample_id=row.id,
                    batch=BatchKey(Subject(row.subject_kind, row.subject_name), row.source),
                    learnable=row.trust != "untrusted",
                    group=row.key,
                    fold=row.fold,
                    format=row.format,
                    width=row.width,
                    height=row.height,
                    size=row.size,
                    facts=FileFacts(**row.facts),
                )
                for row in connection.execute(query)
            ]

    def batch_counts(self) -> dict[BatchKey, BatchCount]:
        """Every batch, with how many labelled active samples it has and of how many the file facts are known."""
        s = t.sample.c
        family = case((s.label == "synthetic", s.family_id))
        query = (  # by numbers: to sort the names of every sample takes three times as long
            select(family, s.source_id, func.count(), func.count(s.facts)).where(labelled).group_by(family, s.source_id)
        )
        with self._database.read() as connection:
            sources, families = (subject_ids(connection, kind) for kind in ("source", "family"))
            return {
                BatchKey(sources[source] if family is None else families[family], sources[source].name): BatchCount(*n)
                for family, source, *n in connection.execute(query)
            }

    def batches_of_samples(self) -> dict[int, BatchKey]:
        """The batch of every labelled active sample."""
        query = select(t.sample.c.id, subject_kind, subject_name, t.source.c.name).select_from(with_subject())
        with self._database.read() as connection:
            ids, *parts = columns(connection, query.where(labelled))
        keys = list(zip(*parts, strict=True))
        batches = {key: BatchKey(Subject(key[0], key[1]), key[2]) for key in set(keys)}  # one object for each
        return dict(zip(ids, map(batches.__getitem__, keys), strict=True))

    def shortcut_audits(self) -> list[BatchAudit]:
        """What the last audit found of every batch, by subject and source."""
        a = t.shortcut_audit
        query = select(a).order_by(a.c.subject_kind, a.c.subject_name, a.c.source)
        found = []
        with self._database.read() as connection:
            for row in connection.execute(query).mappings():
                values = dict(row)
                subject = Subject(values.pop("subject_kind"), values.pop("subject_name"))
                found.append(BatchAudit(batch=BatchKey(subject, values.pop("source")), **values))
        return found

    def save_shortcut_audits(self, changes: Sequence[tuple[BatchAudit, Event | None]]) -> None:
        """Write audits over the stored ones, each with the event that tells of it, in one transaction."""
        a = t.shortcut_audit
        with self._database.write() as connection:
            for audit, event in changes:
                key = _key(audit.batch)
                values = {name: value for name, value in asdict(audit).items() if name != "batch"}
                this = and_(*(a.c[name] == value for name, value in key.items()))
                if connection.execute(update(a).where(this).values(values)).rowcount == 0:
                    connection.execute(insert(a).values({**key, **values}))
                if event is not None:
                    insert_event(connection, event)

    def raw_left_out(self, fingerprint: str) -> list[LeftOut]:
        """Batches of which that encoder's statistics hold samples in their laundered form only, and why."""
        learned = t.learned.c
        columns = (learned.subject_kind, learned.subject_name, t.source.c.name, learned.raw_left_out)
        query = (
            select(*columns, func.count())
            .select_from(
                t.learned.join(t.sample, t.sample.c.id == learned.sample_id).join(
                    t.source, t.source.c.id == t.sample.c.source_id
                )
            )
            .where(learned.fingerprint == fingerprint, learned.raw_left_out.is_not(None))
            .group_by(*columns)
            .order_by(*columns)
        )
        with self._database.read() as connection:
            return [
                LeftOut(BatchKey(Subject(kind, name), source), reason, n)
                for kind, name, source, reason, n in connection.execute(query)
            ]


def _key(batch: BatchKey) -> dict[str, str]:
    return {"subject_kind": batch.subject.kind, "subject_name": batch.subject.name, "source": batch.source}
