"""What a cycle asks of the whole store: columns, groups, what people decided of families."""

from __future__ import annotations

import numpy as np
from sqlalchemy import select
from store_testing import PRINT, T0, embed, fake, minutes, real

from daemon.model import FamilyFlags, Subject
from store import Store
from store import tables as t
from store.database import columns

OWN = "v0001-00000000"


def fill(store: Store) -> None:
    batch = [
        fake("a", group="one"), fake("b", group="one"), fake("c", family="dalle2", group="two"),
        real("d", group="two"), real("e", group="three"), fake("f", family="dalle2", group="three"),
    ]  # fmt: skip
    for number, one in enumerate(batch):
        store.samples.admit("man", "trusted", [one], str(number), minutes(number // 2))


def test_columns_hold_what_rows_hold(store: Store) -> None:
    fill(store)
    s = t.sample.c
    query = select(s.id, s.family_id, s.delivered_at, s.has_blob, s.facts).order_by(s.id)
    with store.database.read() as connection:
        rows, found = connection.execute(query).all(), columns(connection, query)
        assert list(zip(*found, strict=True)) == [tuple(row) for row in rows]
        assert columns(connection, query.where(s.id < 0)) == [[], [], [], [], []]
    assert found[2] == [minutes(n // 2) for n in range(6)]


def test_groups_are_counted_as_in_the_overview(store: Store) -> None:
    fill(store)
    subjects = store.samples.subjects()
    assert store.samples.group_counts() == {row.subject: row.groups for row in subjects}
    held = {row.subject: row.holdout_groups for row in subjects if row.holdout_groups}
    assert store.samples.group_counts(split="holdout") == held
    asked = [Subject("source", "kodak"), Subject("family", "dalle2"), Subject("family", "nobody")]
    assert store.samples.group_counts(subjects=asked) == {asked[0]: 2, asked[1]: 2}
    assert store.samples.group_counts(subjects=[]) == {}


def test_what_was_decided_of_families_is_as_in_the_overview(store: Store) -> None:
    fill(store)
    store.samples.retire_family("dalle2", False, "old", "ann", T0)
    store.samples.anchor_family("stylegan2", False, "a yardstick", "ann", T0)
    found = store.samples.family_flags()
    assert found == {
        Subject("family", "dalle2"): FamilyFlags(anchor=False, retired=True),
        Subject("family", "stylegan2"): FamilyFlags(anchor=True, retired=False),
    }
    assert found == {
        row.subject: FamilyFlags(row.anchor, row.retired)
        for row in store.samples.subjects()
        if row.subject.kind == "family"
    }


def test_the_unscored_are_looked_for_among_some(store: Store) -> None:
    fill(store)
    ids = embed(store)
    for profile in ("raw", "laundered"):
        store.samples.add_scores(OWN, profile, ids[:2], np.zeros(2), np.zeros(2, bool), T0)
    assert store.samples.unscored(PRINT, 9, among=[ids[3], ids[1], ids[2]]) == [ids[2], ids[3]]
    assert store.samples.unscored(PRINT, 1, among=ids) == ids[2:3]
    assert store.samples.unscored(PRINT, 9, among=[]) == []


def test_samples_of_a_shard_are_remembered_but_not_those_of_one_that_is_gone(store: Store) -> None:
    fill(store)
    ids = embed(store)
    assert store.samples.labelled_samples(PRINT).sample_ids.tolist() == ids
    assert store.migrations.purge([PRINT], T0)["shards"] == 2
    assert len(store.samples.labelled_samples(PRINT)) == 0
    store.samples.admit("man", "trusted", [fake("g")], "9", minutes(9))
    assert store.samples.labelled_samples(PRINT).sample_ids.tolist() == []
    assert embed(store)[-1] == store.samples.labelled_samples(PRINT).sample_ids.tolist()[-1]
