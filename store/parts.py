"""What the parts of the sample store share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, insert, or_, select, update
from sqlalchemy.sql.selectable import FromClause

from daemon.model import Split, Subject, SubjectKind
from store import tables as t
from store.blobs import Blobs
from store.database import Database, chunks
from store.layout import Layout
from store.near_duplicates import Hashes
from store.shards import Shards


class Part:
    """One noun of the sample store: methods over the same database and files."""

    def __init__(
        self,
        database: Database,
        layout: Layout,
        shards: Shards,
        blobs: Blobs,
        shares: Mapping[Split, float],
        hashes: Hashes | None = None,
    ) -> None:
        self._database = database
        self._layout = layout
        self._shards = shards
        self._blobs = blobs
        self._shares = shares
        self._hashes = hashes  # None: near-duplicates are not looked for


# A sample's subject: the family of a synthetic one, the source of a real one; without family there is none.
subject_kind: ColumnElement[Any] = case((t.sample.c.label == "real", "source"), else_="family").label("subject_kind")
subject_name: ColumnElement[Any] = case((t.sample.c.label == "real", t.source.c.name), else_=t.family.c.name).label(
    "subject_name"
)
has_subject: ColumnElement[bool] = or_(
    t.sample.c.label == "real", and_(t.sample.c.label == "synthetic", t.sample.c.family_id.is_not(None))
)
labelled: ColumnElement[bool] = and_(t.sample.c.state == "active", has_subject)
canonical_order = (t.sample.c.delivered_at, t.sample.c.sha256)


def with_subject() -> FromClause:
    """sample joined to source, group and (when it has one) family."""
    return (
        t.sample.join(t.source, t.source.c.id == t.sample.c.source_id)
        .join(t.sample_group, t.sample_group.c.id == t.sample.c.group_id)
        .outerjoin(t.family, t.family.c.id == t.sample.c.family_id)
    )


def subjects_of(connection: Connection, sample_ids: list[int]) -> dict[int, Subject]:
    """The subject of each sample that is active and has one."""
    query: Select[Any] = select(t.sample.c.id, subject_kind, subject_name).select_from(with_subject()).where(labelled)
    return {
        row.id: Subject(row.subject_kind, row.subject_name)
        for row in connection.execute(query.where(t.sample.c.id.in_(sample_ids)))
    }


def subject_ids(connection: Connection, kind: SubjectKind) -> dict[int, Subject]:
    """Families or sources by the ids of their rows: one object for each, however many samples it has."""
    table = t.source if kind == "source" else t.family
    return {row[0]: Subject(kind, row[1]) for row in connection.execute(select(table.c.id, table.c.name))}


def is_gone(connection: Connection, subject: Subject) -> bool:
    """Whether no active sample is left of a family or real source."""
    query = select(t.sample.c.id).select_from(with_subject()).where(labelled, of_subject(subject)).limit(1)
    return connection.execute(query).first() is None


def of_subject(subject: Subject) -> ColumnElement[bool]:
    """A condition on `with_subject()`: the sample belongs to the subject."""
    if subject.kind == "source":
        return and_(t.sample.c.label == "real", t.source.c.name == subject.name)
    return and_(t.sample.c.label == "synthetic", t.family.c.name == subject.name)


def ids_by_name(connection: Connection, table: Table, column: str, names: Iterable[str]) -> dict[str, int]:
    """The id of each named row that is there."""
    found: dict[str, int] = {}
    for part in chunks(names):
        rows = connection.execute(select(table.c[column], table.c.id).where(table.c[column].in_(part)))
        found.update({row[0]: row[1] for row in rows})
    return found


def count_outcome(connection: Connection, adapter_id: int, outcome: str, reasons: Counter[str]) -> None:
    """Add to what an adapter's candidates came to; outcome: rejected or quarantined."""
    r = t.rejection.c
    for reason, count in sorted(reasons.items()):
        key = and_(r.adapter_id == adapter_id, r.outcome == outcome, r.reason == reason)
        if connection.execute(update(t.rejection).where(key).values(count=r.count + count)).rowcount == 0:
            connection.execute(
                insert(t.rejection).values(adapter_id=adapter_id, outcome=outcome, reason=reason, count=count)
            )
