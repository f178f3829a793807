"""What a sample is, decided anew from all its deliveries and from what people said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from daemon.corrections.model import Relabel
from daemon.corrections.naming import Claim, Rule, present_families
from daemon.model import Admission, Candidate, Subject
from store import tables as t
from store.database import chunks
from store.draft import PLAIN, Draft
from store.parts import ids_by_name, subjects_of
from store.scores import renew_scores


@dataclass(frozen=True, slots=True)
class Decided:
    """What deciding anew changed."""

    changed: tuple[int, ...]  # ids of the samples whose row is another one
    subjects: frozenset[Subject]  # what they belonged to, and belong to now
    moved: tuple[int, ...]  # ids of those that belong to another subject, to one now, or to none any more
    left_and_joined: frozenset[Subject]  # what those belonged to, and belong to now


def read_rules(connection: Connection) -> list[Rule]:
    """Every renaming, merger and split of families, oldest first."""
    r = t.family_rule.c
    query = select(r.old, r.new, r.source, r.released_after, r.delivered_after).order_by(r.id)
    return [Rule(*row) for row in connection.execute(query)]


def read_relabels(connection: Connection, sample_ids: Iterable[int]) -> dict[int, Relabel]:
    """Sample id -> what a person said of it."""
    r = t.relabelled.c
    joined = t.relabelled.outerjoin(t.family).outerjoin(t.source)
    query = select(r.sample_id, r.label, t.family.c.name, t.source.c.name).select_from(joined)
    found: dict[int, Relabel] = {}
    for ids in chunks(sample_ids):
        for sample_id, label, family, source in connection.execute(query.where(r.sample_id.in_(ids))):
            found[sample_id] = Relabel(label, family, source)
    return found


def read_deliveries(connection: Connection, sample_ids: Iterable[int]) -> dict[int, list[Any]]:
    """Sample id -> its delivery rows with their adapter's name, oldest first."""
    d = t.delivery.c
    query = select(t.delivery, t.adapter.c.name.label("adapter")).join(t.adapter, t.adapter.c.id == d.adapter_id)
    found: dict[int, list[Any]] = {}
    for ids in chunks(sample_ids):
        for row in connection.execute(query.where(d.sample_id.in_(ids)).order_by(d.id)):
            found.setdefault(row.sample_id, []).append(row)
    return found


def claim_of(row: Any) -> Claim:
    """What a delivery row says about the family."""
    return Claim(row.family, row.source, row.released, row.at)


def decide_anew(connection: Connection, sample_ids: Iterable[int], at: datetime) -> Decided:
    """Make the samples what their deliveries and people's corrections say by now; group and split stay.

    Forgotten samples, which have no delivery, are left alone. Scores of samples that belonged nowhere before are given
    ids after all others, so that whoever reads "after id" takes them in.
    """
    ids = sorted(set(sample_ids))
    before = subjects_by_id(connection, ids)
    deliveries, relabels, rules = (
        read_deliveries(connection, ids),
        read_relabels(connection, ids),
        read_rules(connection),
    )
    s, changed = t.sample.c, []
    for part in chunks(deliveries):
        rows = select(t.sample, t.sample_group.c.key).join(t.sample_group).where(s.id.in_(part))
        pairs = [
            (row, _decided(row, deliveries[row.id], relabels.get(row.id), rules, at))
            for row in connection.execute(rows)
        ]
        changed += _write(connection, pairs)
    after = subjects_by_id(connection, ids)
    renew_scores(connection, [i for i in changed if i in after and i not in before])
    moved = [i for i in changed if before.get(i) != after.get(i)]

    def of(samples: Sequence[int]) -> frozenset[Subject]:
        return frozenset(found[i] for found in (before, after) for i in samples if i in found)

    return Decided(tuple(changed), of(changed), tuple(moved), of(moved))


def subjects_by_id(connection: Connection, sample_ids: Iterable[int]) -> dict[int, Subject]:
    """The subject of each sample that is active and has one."""
    found: dict[int, Subject] = {}
    for ids in chunks(sample_ids):
        found |= subjects_of(connection, ids)
    return found


def _decided(
    row: Any, deliveries: Sequence[Any], relabel: Relabel | None, rules: Sequence[Rule], at: datetime
) -> Draft:
    first = deliveries[0]
    draft = Draft(
        sha256=row.sha256,
        size=row.size,
        has_blob=row.has_blob,
        source=(relabel and relabel.source) or first.source,
        group=row.key,
        delivered_at=first.at,
        adapter_id=first.adapter_id,
        id=row.id,
        width=row.width,
        height=row.height,
        format=row.format,
        phash=row.phash,
        facts=row.facts,
        learned=True,  # keeps its group
    )
    apply_relabel(draft, relabel)
    families = present_families([claim_of(delivery) for delivery in deliveries], rules)
    for delivery, family in zip(deliveries, families, strict=True):
        claim = Candidate(
            delivery.uri, label=delivery.label, family=family, source=delivery.source, caption=delivery.caption
        )
        draft.merge(Admission(claim, row.sha256, 0, None), delivery.adapter, at)
    if row.state == "quarantined" and (row.reason != "label_conflict" or draft.state == "quarantined"):
        draft.state, draft.reason, draft.quarantined_at = row.state, row.reason, row.quarantined_at
        draft.detail = row.detail if row.reason != "label_conflict" else draft.detail
    return draft


def apply_relabel(draft: Draft, relabel: Relabel | None) -> None:
    """Take over a person's word before the deliveries speak."""
    if relabel is not None:
        draft.relabel, draft.label, draft.label_from = relabel, relabel.label, None
        draft.family = relabel.family


def _write(connection: Connection, pairs: Sequence[tuple[Any, Draft]]) -> list[int]:
    """Update the rows that changed; returns their ids."""
    sources = ids_by_name(connection, t.source, "name", {draft.source for _, draft in pairs})
    families = ids_by_name(connection, t.family, "name", {draft.family for _, draft in pairs if draft.family})
    changed = []
    for row, draft in pairs:
        values = _values(draft, sources, families)
        if any(getattr(row, name) != value for name, value in values.items()):
            changed.append({"b_id": row.id, **values})
    if changed:
        connection.execute(update(t.sample).where(t.sample.c.id == bindparam("b_id")), changed)
    return [int(row["b_id"]) for row in changed]


def _values(draft: Draft, sources: Mapping[str, int], families: Mapping[str, int]) -> dict[str, Any]:
    return {
        **{name: getattr(draft, name) for name in PLAIN},
        "source_id": sources[draft.source],
        "family_id": None if draft.family is None else families[draft.family],
    }
