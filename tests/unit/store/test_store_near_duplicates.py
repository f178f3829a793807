"""Of nearly the same picture on two sides of the holdout only the first one counts."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from store_testing import PRINT, T0, admission, embed, fake, minutes, real

from daemon.model import Admission, Receipt, Subject, Trust
from store import Store, open_store
from store import tables as t
from store.near_duplicates import Hashes, informative
from store.splits import DEFAULT_SHARES, split_of

HASH = 0x00FF00FF00FF00FF


def group_in(side: str, number: int = 0) -> str:
    """The key of a group on that side."""
    keys = (f"g{n}" for n in itertools.count() if (split_of(f"g{n}", DEFAULT_SHARES) == "holdout") == (side == "held"))
    return next(itertools.islice(keys, number, None))


def like(admission_of: Any, name: str, side: str, bits: int = 0, number: int = 0, **claim: Any) -> Admission:
    """A picture on that side whose hash differs in so many bits from HASH."""
    claim = {"group": group_in(side, number), **claim}
    made: Admission = admission_of(name, phash=f"{HASH ^ ((1 << bits) - 1):016x}", **claim)
    return made


def states(store: Store) -> dict[str, tuple[str, str | None, str]]:
    """Group -> state, reason and detail of its sample."""
    s = t.sample.c
    query = select(t.sample_group.c.key, s.state, s.reason, s.detail).join_from(t.sample, t.sample_group)
    with store.database.read() as connection:
        return {row[0]: (row[1], row[2], row[3]) for row in connection.execute(query)}


def admit(store: Store, *batch: Admission, trust: Trust = "trusted", minute: int = 0) -> Receipt:
    return store.samples.admit("man", trust, batch, str(minute), minutes(minute))


def test_a_near_duplicate_of_what_is_held_out_is_not_learned_from(store: Store) -> None:
    held = like(fake, "held", "held")
    admit(store, held)
    receipt = admit(
        store, like(fake, "copy", "train", bits=4), like(fake, "other", "train", bits=5, number=1), minute=1
    )
    assert (receipt.stored, receipt.quarantined, receipt.near_duplicates) == (2, 1, 1)
    reason = ("quarantined", "near_duplicate", f"4 of 64 bits from {held.sha256[:12]}, which is held out")
    assert states(store)[group_in("train")] == reason
    assert states(store)[group_in("train", 1)][0] == "active"
    embed(store)
    assert set(store.samples.labelled_vectors(PRINT, "raw").groups) == {group_in("held"), group_in("train", 1)}
    (adapter,) = store.samples.adapters()
    assert adapter.quarantined == {"near_duplicate": 1}


def test_what_nearly_was_learned_from_is_not_measured_as_held_out(store: Store) -> None:
    admit(store, like(real, "first", "train"))
    assert admit(store, like(real, "copy", "held"), minute=1).near_duplicates == 1
    assert states(store)[group_in("held")][2].endswith("which is learned from")


def test_of_two_in_one_batch_the_one_that_would_be_learned_from_is_refused(store: Store, tmp_path: Path) -> None:
    batch = [like(fake, name, side) for name, side in (("a", "train"), ("b", "held"))]
    batch += [like(fake, f"more {n}", side, number=n) for n, side in enumerate(["train", "held"] * 4, start=1)]
    admit(store, *batch)
    wrong = {group for group, (state, _, _) in states(store).items() if state == "active"}
    assert wrong == {a.candidate.group for a in batch if split_of(str(a.candidate.group), DEFAULT_SHARES) == "holdout"}
    random.Random(3).shuffle(batch)
    with open_store(tmp_path / "other") as other:
        admit(other, *batch)
        assert states(other) == states(store)
        assert admit(other, *batch, minute=2).repeated == len(batch)
        assert states(other) == states(store)


def test_near_duplicates_of_one_side_or_one_group_stand_beside_each_other(store: Store) -> None:
    batch = [like(fake, f"t{n}", "train", number=n) for n in range(3)]
    assert admit(store, *batch, like(fake, "same group", "train")).quarantined == 0
    assert len(batch) + 1 == store.samples.sample_counts()["active"]


def test_near_duplicates_of_an_anchor_are_not_learned_from(store: Store) -> None:
    admit(store, like(fake, "anchor", "train", family="old"))
    store.samples.anchor_family("old", False, "to see", "ada", T0)
    receipt = admit(
        store,
        like(fake, "copy", "train", number=1, family="new"),
        like(fake, "its own", "train", number=2, family="old"),
        like(fake, "held", "held", family="new"),
        minute=1,
    )
    assert receipt.near_duplicates == 1
    assert states(store)[group_in("train", 1)][2].endswith("which is of an anchor")


def test_a_picture_of_an_anchor_that_comes_after_what_was_learned_is_not_measured(store: Store) -> None:
    admit(store, like(fake, "anchor", "train", family="old", number=5, bits=40), like(fake, "copy", "train", number=1))
    store.samples.anchor_family("old", False, "to see", "ada", T0)
    assert admit(store, like(fake, "late", "train", number=2, family="old"), minute=1).near_duplicates == 1
    assert states(store)[group_in("train", 2)][2].endswith("which is learned from")


def test_an_anchor_that_is_made_later_sets_its_near_duplicates_apart(store: Store) -> None:
    anchor = like(fake, "anchor", "train", family="old")
    batch = [
        like(fake, "copy", "train", number=1, family="new"),
        like(real, "photograph", "train", number=2),
        like(fake, "its own", "train", number=3, family="old"),
        like(fake, "far", "train", bits=6, number=4, family="new"),
    ]
    assert admit(store, anchor, *batch).near_duplicates == 0
    embed(store)
    done = store.samples.anchor_family("old", False, "to see what breaks", "ada", minutes(1))
    assert done is not None and done.samples == 2
    assert {str(subject) for subject in done.subjects} >= {str(Subject("family", name)) for name in ("old", "new")}
    found = states(store)
    for number in (1, 2):
        state, reason, detail = found[group_in("train", number)]
        assert (state, reason) == ("quarantined", "near_duplicate") and detail.endswith("which is of an anchor")
    assert [found[group_in("train", number)][0] for number in (0, 3, 4)] == ["active"] * 3
    (adapter,) = store.samples.adapters()
    assert adapter.quarantined == {"near_duplicate": 2}
    (row,) = store.registry.audit()
    assert (row.action, row.reason, len(row.payload["set_apart"]), row.payload["let_in"]) == (
        "anchor", "to see what breaks", 2, []
    )  # fmt: skip
    assert store.samples.anchor_family("old", False, "again", "ada", minutes(2)) is None


def test_what_an_anchor_set_apart_comes_in_again_when_it_is_none_any_more(store: Store) -> None:
    admit(store, like(fake, "anchor", "train", family="old"), like(fake, "copy", "train", number=1, family="new"))
    store.samples.anchor_family("old", False, "to see", "ada", minutes(1))
    assert states(store)[group_in("train", 1)][0] == "quarantined"
    done = store.samples.anchor_family("old", True, "it evades", "ada", minutes(2))
    assert done is not None and done.samples == 1
    assert states(store)[group_in("train", 1)] == ("active", None, "")
    assert len(store.registry.audit()[-1].payload["let_in"]) == 1


def test_what_is_held_out_stays_so_beside_a_family_that_was_an_anchor(store: Store) -> None:
    admit(store, like(fake, "anchor", "train", family="old", bits=40, number=9))
    store.samples.anchor_family("old", False, "to see", "ada", T0)
    admit(store, like(fake, "its own", "train", family="old"), like(fake, "held", "held", family="new"), minute=1)
    assert {state for state, _, _ in states(store).values()} == {"active"}
    store.samples.anchor_family("old", True, "it evades", "ada", minutes(2))
    found = states(store)
    assert found[group_in("train")][:2] == ("quarantined", "near_duplicate")
    assert found[group_in("held")][0] == "active"


def test_a_store_that_does_not_look_sets_nothing_apart_for_an_anchor(tmp_path: Path) -> None:
    with open_store(tmp_path, near_duplicate_bits=None) as store:
        admit(store, like(fake, "anchor", "train", family="old"), like(fake, "copy", "train", number=1, family="new"))
        store.samples.anchor_family("old", False, "to see", "ada", minutes(1))
        assert {state for state, _, _ in states(store).values()} == {"active"}


def test_untrusted_pictures_keep_nothing_out_of_the_holdout_and_are_measured(store: Store) -> None:
    admit(store, like(real, "planted", "train", source="stranger"), trust="untrusted")
    assert admit(store, like(real, "ours", "held", source="ours"), minute=1).quarantined == 0
    more = like(real, "more", "train", number=3, source="stranger")
    assert admit(store, more, trust="untrusted", minute=2).quarantined == 0


def test_forgotten_and_quarantined_pictures_keep_nothing_out(store: Store) -> None:
    admit(store, like(fake, "held", "held"), like(fake, "held too", "held", number=1))
    ids = embed(store)
    for sample_id in ids:
        store.samples.quarantine(sample_id, "encoding_failed", "", T0)
    assert admit(store, like(fake, "copy", "train"), minute=1).quarantined == 0


def test_a_picture_that_comes_after_its_vector_is_compared_too(store: Store) -> None:
    early = like(fake, "held", "held")
    vector = np.ones(8, np.float16)
    claim = {"label": "synthetic", "family": "stylegan2", "group": group_in("held"), "vector_fingerprint": PRINT}
    admit(store, admission("held", uri="v", without_content=True, vector=vector, **claim))
    admit(store, early, minute=1)
    assert admit(store, like(fake, "copy", "train"), minute=2).near_duplicates == 1


def test_a_reopened_store_still_knows_them_and_says_so_of_reports(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        admit(store, like(fake, "held", "held"))
    with open_store(tmp_path) as store:
        done = store.samples.report(like(real, "copy", "train"), "known", "ada", "", minutes(1))
    assert (done.outcome, done.reason) == ("quarantined", "near_duplicate")


def test_a_store_may_be_told_not_to_look(tmp_path: Path) -> None:
    with open_store(tmp_path, near_duplicate_bits=None) as store:
        admit(store, like(fake, "held", "held"))
        assert admit(store, like(fake, "copy", "train"), minute=1).quarantined == 0


@pytest.mark.parametrize("text", [None, "", "0" * 16, "8000000000000000", "f" * 16])
def test_pictures_of_one_colour_are_near_duplicates_of_nothing(text: str | None) -> None:
    assert informative(text) is None


_HASHES = st.lists(st.sampled_from(range(64)), min_size=32, max_size=32, unique=True).map(
    lambda places: sum(1 << place for place in places)
)


@given(st.lists(_HASHES, max_size=20), _HASHES, st.integers(0, 12))
def test_the_neighbours_are_those_that_a_loop_over_the_bits_finds(hashes: list[int], wanted: int, most: int) -> None:
    kept = Hashes(most)
    kept.add((number, f"{bits:016x}") for number, bits in enumerate(hashes))
    expected = {number for number, bits in enumerate(hashes) if (bits ^ wanted).bit_count() <= most}
    assert kept.near([wanted]) == expected
