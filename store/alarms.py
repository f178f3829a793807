"""Alarms about more than one family, and what they look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import and_, func, insert, or_, select, update

from daemon.model import Alarm, Subject, UnlabelledRow
from store import tables as t
from store.parts import Part, canonical_order, labelled, subject_kind, subject_name, with_subject
from store.vectors import vectors_complete

_ALARM = tuple(field.name for field in fields(Alarm))


class Alarms(Part):
    """Writes and reads alarms; reads samples that nobody has named."""

    def alarms(self) -> list[Alarm]:
        """Every alarm that was ever watched for, by kind and what it is about."""
        a = t.service_alarm
        with self._database.read() as connection:
            rows = connection.execute(select(a).order_by(a.c.kind, a.c.about)).mappings()
            return [Alarm(**{name: row[name] for name in _ALARM}) for row in rows]

    def save_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Write alarms over what is stored of the same (kind, about), in one transaction."""
        a = t.service_alarm
        with self._database.write() as connection:
            for alarm in alarms:
                key = and_(a.c.kind == alarm.kind, a.c.about == alarm.about)
                if connection.execute(update(a).where(key).values(asdict(alarm))).rowcount == 0:
                    connection.execute(insert(a).values(asdict(alarm)))

    def unlabelled(self, fingerprint: str) -> list[UnlabelledRow]:
        """Active samples that have vectors, are not called real and belong to no family, in canonical order."""
        s = t.sample.c
        nameless = and_(or_(s.label.is_(None), s.label == "synthetic"), s.family_id.is_(None))
        query = (
            select(s.id, t.source.c.name, t.sample_group.c.key)
            .select_from(
                t.sample.join(t.source, t.source.c.id == s.source_id).join(
                    t.sample_group, t.sample_group.c.id == s.group_id
                )
            )
            .where(s.state == "active", nameless, vectors_complete(fingerprint))
            .order_by(*canonical_order)
        )
        with self._database.read() as connection:
            return [UnlabelledRow(*row) for row in connection.execute(query)]

    def last_samples(self) -> dict[str, datetime]:
        """Adapter -> when it last delivered a sample."""
        d = t.delivery.c
        query = (
            select(t.adapter.c.name, func.max(d.at))
            .join(t.adapter, t.adapter.c.id == d.adapter_id)
            .where(d.sample_id.is_not(None))
            .group_by(t.adapter.c.name)
            .order_by(t.adapter.c.name)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def groups_since(self, at: datetime) -> dict[Subject, int]:
        """How many groups of each family and real source were delivered after `at`."""
        query = (
            select(subject_kind, subject_name, func.count(t.sample_group.c.id.distinct()))
            .select_from(with_subject())
            .where(labelled, t.sample.c.delivered_at > at)
            .group_by(subject_kind, subject_name)
            .order_by(subject_kind, subject_name)
        )
        with self._database.read() as connection:
            return {Subject(kind, name): count for kind, name, count in connection.execute(query)}
