"""A family whose pictures come as PNG and as JPEG: modelled apart, forgotten exactly, and healed in an older store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update as change

from daemon.heads import ClosedFormHead, forms
from daemon.learn.bookkeeping import bring_up_to_date
from daemon.model import PROFILES, Admission, Candidate, ForgetTarget, Inspected, Subject
from daemon.registry.card import card
from daemon.registry.diff import differences
from daemon.registry.facts import facts_of
from store import tables as t
from tests.integration.test_forgetting import (
    assert_same_scores,
    assert_same_statistics,
    challenger,
    digest,
    forget,
    ids_of,
    in_train,
    statistics,
)
from tests.integration.test_story import assert_whole
from tests.integration.world import FINGERPRINT, KNOWN, World, beginning

FAMILY = Subject("family", KNOWN[0])


def on_a_site(count: int, start: int = 500) -> list[Candidate]:
    return [replace(c, source="site") for c in in_train(KNOWN[0], count, start=start)]


def deliver_jpegs(world: World, candidates: Iterable[Candidate]) -> None:
    admissions = [Admission(c, digest(c), 10, Inspected(64, 64, "JPEG", "0" * 16)) for c in candidates]
    world.store.samples.admit("site", "trusted", admissions, None, world.clock.now())
    world.cycle()
    bring_up_to_date(world.context)


def came_as(world: World) -> Counter[str]:
    rows = world.store.samples.learned_rows(FINGERPRINT)
    return Counter(row.form for row in rows if row.subject == FAMILY)


def parts(world: World) -> dict[str, int]:
    """How many vectors the statistics hold of each form."""
    held = forms.from_bytes(world.store.samples.statistics(FINGERPRINT)[FAMILY, "raw"])
    return {form: own.n for form, own in held.items()}


def forms_of(head: object) -> set[str]:
    assert isinstance(head, ClosedFormHead)
    return {key.form for key in head.keys if key.subject == FAMILY}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.settled(tmp_path / "state")


def test_each_form_is_a_group_once_there_is_enough_of_it(world: World) -> None:
    deliver_jpegs(world, on_a_site(9))
    assert parts(world) == came_as(world)
    assert set(parts(world)) == {"jpeg", "png"}
    assert forms_of(challenger(world).artifact.head) == {""}
    deliver_jpegs(world, on_a_site(3, start=700))
    assert parts(world)["jpeg"] == 12
    made = challenger(world).artifact
    assert forms_of(made.head) == {"jpeg", "png"}
    assert all(forms_of(fold) == {"jpeg", "png"} for fold in made.fold_heads)
    assert_whole(world)


def test_real_sources_are_one_group_whatever_the_format(world: World) -> None:
    rows = world.store.samples.learned_rows(FINGERPRINT)
    assert {row.form for row in rows if row.subject.kind == "source"} == {""}


def test_a_form_that_is_forgotten_leaves_no_trace(world: World, tmp_path: Path) -> None:
    fresh = World(tmp_path / "fresh")
    fresh.inbox.put(beginning())
    fresh.cycle()
    deliver_jpegs(world, on_a_site(15))
    assert forms_of(challenger(world).artifact.head) == {"jpeg", "png"}
    forget(world, ForgetTarget("source", "site"))
    assert set(parts(world)) == {"png"}
    assert_same_statistics(world, fresh)
    theirs = fresh.context.champion.get()
    assert theirs is not None
    assert_same_scores(fresh, challenger(world), theirs)
    assert_whole(world)


def test_statistics_of_an_older_store_are_put_in_order_by_the_next_learning(world: World) -> None:
    deliver_jpegs(world, on_a_site(15))
    samples = world.store.samples
    wanted, before, sizes = challenger(world), statistics(world), parts(world)
    sample_ids = ids_of(world, on_a_site(15))
    first = samples.learned_revisions(FINGERPRINT, sample_ids).tolist()
    as_they_were = {
        (subject, profile): (own.n, own.to_bytes())
        for (subject, profile), own in before.items()
        if subject.kind == "family"
    }
    samples.commit_statistics(
        FINGERPRINT, samples.statistics_revision(FINGERPRINT) + 1, as_they_were, [], world.clock.now()
    )
    with world.store.database.write() as connection:
        connection.execute(change(t.learned).values(form=""))
    assert parts(world) == {"": sum(sizes.values())}

    bring_up_to_date(world.context)
    assert parts(world) == sizes == came_as(world)
    for key, own in statistics(world).items():
        assert abs(own.moments().second - before[key].moments().second).max() < 1e-9 * abs(own.moments().second).max()
    assert samples.learned_revisions(FINGERPRINT, sample_ids).tolist() == first, "once learned, never unseen again"
    again = challenger(world)
    for profile in PROFILES:
        rows = samples.labelled_vectors(FINGERPRINT, profile)
        expected = wanted.artifact.head.scores(rows.vectors)
        assert again.artifact.head.scores(rows.vectors) == pytest.approx(expected, rel=1e-9)
    assert_whole(world)
    revision = samples.statistics_revision(FINGERPRINT)
    bring_up_to_date(world.context)
    assert samples.statistics_revision(FINGERPRINT) == revision, "once is enough"


def test_people_see_the_forms_in_the_card_and_in_what_differs(world: World) -> None:
    registry = world.context.registry
    champion = world.context.champion.get()
    assert champion is not None
    deliver_jpegs(world, on_a_site(15))
    made = challenger(world)
    before, after = (json.loads(registry.artifact(one.record.id)[1]) for one in (champion, made))
    changes = {(change.key, change.before, change.after) for change in differences(before, after).groups}
    assert (f"family {KNOWN[0]} raw jpeg", None, 15) in changes
    assert (f"family {KNOWN[0]} raw png", None, parts(world)["png"]) in changes
    assert f"| family | {KNOWN[0]} | raw, jpeg | 15 |" in card(facts_of(registry, world.store.samples, made.record))
