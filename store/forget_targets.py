"""Which deliveries are meant by something to forget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, or_, select

from daemon.corrections.model import Relabel
from daemon.corrections.naming import Rule, ever_called, present_families
from daemon.model import ForgetTarget
from store import tables as t
from store.database import chunks
from store.deciding import claim_of, read_deliveries, read_relabels, read_rules

COLUMNS = (t.delivery.c.id, t.delivery.c.sample_id, t.delivery.c.adapter_id, t.delivery.c.source)


def matching(connection: Connection, target: ForgetTarget) -> list[Any]:
    """The deliveries (COLUMNS), oldest first."""
    d = t.delivery.c
    if target.kind == "family":
        ids = sorted(_of_family(connection, target.name))
        return [
            row
            for part in chunks(ids)
            for row in connection.execute(select(*COLUMNS).where(d.id.in_(part)).order_by(d.id))
        ]
    if target.kind == "sample":
        meant = d.sha256 == target.name
    else:  # a photo collection, or all that an adapter delivered
        meant = or_(
            d.source == target.name,
            d.adapter_id.in_(select(t.adapter.c.id).where(t.adapter.c.name == target.name)),
        )
    return list(connection.execute(select(*COLUMNS).where(meant).order_by(d.id)))


def _of_family(connection: Connection, name: str) -> Iterator[int]:
    """Ids of the deliveries of a family: of its samples, and of those in quarantine the ones that speak of it."""
    d, rules = t.delivery.c, read_rules(connection)
    claiming = connection.execute(select(d.id, d.sample_id).where(d.family.in_(ever_called([name], rules)))).all()
    yield from (row.id for row in claiming if row.sample_id is None)  # rejected
    in_family = select(t.sample.c.id).join(t.family).where(t.family.c.name == name, t.sample.c.state == "active")
    members = set(connection.execute(in_family).scalars())
    asked = members | {row.sample_id for row in claiming if row.sample_id is not None}
    relabels = read_relabels(connection, asked)
    for sample_id, deliveries in read_deliveries(connection, asked).items():
        if sample_id in members:
            yield from (row.id for row in deliveries)
        elif not _is_elsewhere(relabels.get(sample_id), name):
            yield from _speaking_of(name, deliveries, rules)


def _is_elsewhere(relabel: Relabel | None, name: str) -> bool:
    """Whether a person has said that the sample is no picture of the family, whatever was claimed."""
    return relabel is not None and (relabel.label == "real" or relabel.family not in (None, name))


def _speaking_of(name: str, deliveries: Sequence[Any], rules: Sequence[Rule]) -> Iterator[int]:
    """A delivery that claims nothing goes by the family which another one names; one that contradicts it stays."""
    families = present_families([claim_of(row) for row in deliveries], rules)
    if name not in families:
        return
    for row, family in zip(deliveries, families, strict=True):
        if family == name or (row.family is None and row.label in (None, "synthetic")):
            yield row.id
