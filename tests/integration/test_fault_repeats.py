"""The same deliveries ten times, shuffled, across restarts, their labels late: as if they had come once."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from daemon.model import Candidate
from store import tables as t
from tests.integration.test_alarms import status
from tests.integration.test_story import assert_whole
from tests.integration.world import NEW, World, beginning, candidate

STREAM = [candidate(NEW, i) for i in range(40)]


def outcome(world: World) -> dict[str, Any]:
    """Counts, alarms, evidence and heads; not when they came about, nor how often something was repeated."""
    registry, samples = world.store.registry, world.store.samples
    shown = status(world)
    e = t.episode.c
    with world.store.database.read() as connection:
        episodes = connection.execute(select(e.family, e.state, e.samples_to_alarm, e.samples_after)).all()
        columns = (t.sample.c.sha256, t.sample.c.label, t.sample.c.state, t.sample_group.c.key)
        rows = connection.execute(select(*columns).join_from(t.sample, t.sample_group)).all()
    champion = registry.champion()
    assert champion is not None
    return {
        "samples": sorted(tuple(row) for row in rows),
        "counts": (samples.sample_counts(), samples.quarantine_counts()),
        "families": {one.name: (one.state, one.samples, one.votes) for one in shown.families},
        "sources": {one.name: (one.samples, one.evidence_log10) for one in shown.real_sources},
        "episodes": [tuple(row) for row in episodes],
        "heads": [(version.tensors_sha256, version.state) for version in registry.versions()],
        "champion": champion.tensors_sha256,
    }


def once(root: Path) -> World:
    world = World(root)
    for batch in (beginning(), STREAM):
        world.inbox.put(batch)
        world.until_idle()
    return world


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = outcome(once(tmp_path_factory.mktemp("once")))
    assert found["episodes"] and len(found["heads"]) >= 2, "the newcomer was alarmed and learned"
    return found


def restart(world: World) -> World:
    world.store.close()
    world.open()
    return world


def repeated(world: World, batch: list[Candidate], times: int, seed: int) -> None:
    """The batch whole and then again and again in pieces, in another order and in another process each time."""
    world.inbox.put(batch)
    world.until_idle()
    for number in range(times - 1):
        restart(world)
        shuffled = list(batch)
        random.Random(seed + number).shuffle(shuffled)
        world.inbox.put(shuffled, batch=137)
        world.until_idle()


@pytest.mark.accept
def test_ten_times_is_once(tmp_path: Path, expected: dict[str, Any]) -> None:
    world = World(tmp_path / "state")
    for seed, batch in enumerate((beginning(), STREAM)):
        repeated(world, batch, 10, 100 * seed)
    assert outcome(world) == expected
    assert_whole(world)


@pytest.mark.parametrize("seed", [1, 2])
def test_one_shuffled_batch_that_repeats_itself_is_the_batch(
    seed: int, tmp_path: Path, expected: dict[str, Any]
) -> None:
    world = World(tmp_path / "state")
    for batch in (beginning(), STREAM):
        many = batch * 10
        random.Random(seed).shuffle(many)
        world.inbox.put(many)
        world.until_idle()
    assert outcome(world) == expected


def unlabelled(batch: Iterable[Candidate]) -> list[Candidate]:
    return [replace(one, label=None, family=None) for one in batch]


def test_labels_that_come_late_give_the_same_samples_alarms_and_head(tmp_path: Path, expected: dict[str, Any]) -> None:
    world = World(tmp_path / "state")
    for batch in (beginning(), STREAM):
        world.inbox.put(unlabelled(batch))
        world.until_idle()
        restart(world)
        world.inbox.put(batch)
        world.until_idle()
    assert outcome(world) == expected
    assert_whole(world)
