"""People close an episode, and then correct the family: neither decision undoes the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.test_episodes import close, world_at
from tests.integration.test_story import assert_whole
from tests.integration.world import NEW, World, candidate


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_at(tmp_path / "state")


def episodes(world: World) -> list[tuple[str, str]]:
    return [(episode.family, episode.state) for episode in world.store.samples.episodes()]


def rename(world: World, old: str, new: str) -> None:
    world.store.samples.rename_family(old, new, "its card", "tester", world.clock.now())


def test_a_closed_episode_stays_closed_when_its_family_is_renamed(world: World) -> None:
    close(world)
    rename(world, NEW, "flux")
    world.until_idle()
    assert episodes(world) == [("flux", "closed")]
    assert_whole(world)


def test_a_renamed_family_that_goes_on_evading_gets_a_new_episode(world: World) -> None:
    close(world)
    rename(world, NEW, "flux")
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(100, 160))  # the adapter still calls it so
    world.until_idle()
    assert episodes(world) == [("flux", "closed"), ("flux", "alarmed")]
    assert_whole(world)


def test_closed_under_the_new_name_it_begins_anew_under_it(world: World) -> None:
    rename(world, NEW, "flux")
    world.until_idle()
    assert episodes(world) == [("flux", "alarmed")]
    (episode,) = world.store.samples.episodes(open_only=True)
    acknowledged = world.store.samples.acknowledge_episode(episode.id, "ada", "on it", world.clock.now())
    assert acknowledged == replace(episode, acknowledged_at=acknowledged.acknowledged_at, acknowledged_by="ada")
    rename(world, "flux", "flux_1")
    world.until_idle()
    (after,) = world.store.samples.episodes(open_only=True)
    assert (after.family, after.acknowledged_by) == ("flux_1", "ada")
    assert_whole(world)


def test_a_retired_family_with_a_closed_episode_is_not_opened_again(world: World) -> None:
    close(world)
    world.store.samples.retire_family(NEW, False, "gone", "tester", world.clock.now())
    world.inbox.put(candidate(NEW, i) for i in range(100, 160))
    world.until_idle()
    assert episodes(world) == [(NEW, "closed")]
    assert_whole(world)
