"""Releases that adapters reported, and what is handed to those that make pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, or_, select

from daemon.corrections.naming import Claim, Rule, present_families
from daemon.intake.releasing import family_for
from daemon.model import FEEDBACK, Prompt, Release
from store import tables as t
from store.parts import Part, ids_by_name


class Releases(Part):
    """What there is to make pictures with, and of."""

    def releases(self, adapter: str) -> list[Release]:
        """Everything that the adapter reported, oldest registration first."""
        r = t.release.c
        query = (
            select(r.model, r.revision, r.family, r.released, r.kind, r.licence)
            .join(t.adapter, t.adapter.c.id == r.adapter_id)
            .where(t.adapter.c.name == adapter)
            .order_by(r.id)
        )
        with self._database.read() as connection:
            return [Release(*row) for row in connection.execute(query)]

    def captions(self, limit: int) -> list[Prompt]:
        """The captions of the first so many active photographs that have one, each with its photograph's group."""
        s = t.sample.c
        query = (
            select(s.caption, t.sample_group.c.key)
            .join(t.sample_group, t.sample_group.c.id == s.group_id)
            .where(s.state == "active", s.label == "real", s.caption.is_not(None), s.caption != "")
            # what people report is what the detector errs on, not a fair choice of photographs
            .where(or_(s.label_from.is_(None), s.label_from != FEEDBACK))
            .order_by(s.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [Prompt(row.caption, row.key) for row in connection.execute(query)]


def register(
    connection: Connection,
    adapter_id: int,
    adapter: str,
    releases: Sequence[Release],
    rules: Sequence[Rule],
    at: datetime,
) -> None:
    """Register what is new among the releases, each with its family; a model that is there keeps its revision."""
    r = t.release.c
    there = set(connection.execute(select(r.model).where(r.adapter_id == adapter_id)).scalars())
    taken = {row.family: row.model for row in connection.execute(select(r.family, r.model).order_by(r.id.desc()))}
    for release in releases:
        if release.model in there:
            continue
        there.add(release.model)
        family = family_for(release, taken)
        taken[family] = release.model
        connection.execute(
            insert(t.release).values(
                adapter_id=adapter_id,
                model=release.model,
                revision=release.revision,
                family=family,
                released=release.released,
                kind=release.kind,
                licence=release.licence,
                at=at,
            )
        )
        called = present_families([Claim(family, adapter, release.released, at)], rules)[-1]
        if called is not None and not ids_by_name(connection, t.family, "name", [called]):
            connection.execute(insert(t.family).values(name=called, kind=release.kind, released=release.released))
