"""The cycle on the real store, from the first champion to a recovered family; and what must change nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from daemon.evaluate.measuring import differing_figures
from daemon.heads import read
from daemon.model import Candidate
from store.splits import DEFAULT_SHARES, split_of
from store.verify import verify
from tests.integration.world import KNOWN, NEW, SOURCES, World, beginning, candidate


def assert_whole(world: World) -> None:
    def check(tensors: bytes, manifest: bytes) -> None:
        read(tensors, manifest)

    found = verify(
        world.store,
        now=world.clock.now(),
        started_at=0.0,
        check_artifact=check,
        recompute=lambda: differing_figures(world.context),
        deep=True,
    )
    assert [(c.number, c.detail) for c in found if not c.ok] == []


def outcome(world: World) -> dict[str, Any]:
    """What must not depend on kills, repeats or order."""
    champion = world.store.registry.champion()
    samples = world.store.samples
    assert champion is not None
    return {
        "champion": champion.id,
        "counts": samples.sample_counts(),
        "episodes": [(e.family, e.state, e.samples_to_alarm, e.version) for e in samples.episodes()],
        "tests": sorted((t.subject, t.votes, t.log10_evidence) for t in samples.test_states(champion.id)),
        "decisions": [(row.action, row.version) for row in world.store.registry.audit()],
    }


def tell(world: World) -> None:
    """Day 0, the newcomer, later pictures of it."""
    world.inbox.put(beginning())
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(20))
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(20, 40))
    world.until_idle()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("story") / "state")
    tell(world)
    return world


def test_a_family_that_evades_is_alarmed_learned_promoted_and_recovers(told: World) -> None:
    (episode,) = told.store.samples.episodes()
    champion = told.store.registry.champion()
    assert champion is not None
    assert (episode.family, episode.state, episode.version) == (NEW, "recovered", champion.id)
    assert episode.ap_before is not None and episode.ap_before < 0.9
    assert episode.ap_after is not None and episode.ap_after >= 0.9
    assert [row.action for row in told.store.registry.audit()] == ["promote", "promote"]
    kinds = [event.kind for event in told.told]
    assert kinds == ["champion_promoted", "family_evades", "champion_promoted", "family_recovered"]
    assert_whole(told)


def test_another_cycle_finds_nothing_to_do(told: World) -> None:
    before = outcome(told)
    assert told.cycle().idle
    assert outcome(told) == before


def test_the_same_deliveries_again_change_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    world.inbox.put(beginning())
    world.until_idle()
    before = outcome(world)
    world.inbox.put(beginning())
    world.until_idle()
    assert outcome(world) == before
    assert_whole(world)


def test_a_shuffled_delivery_gives_the_same_champion_alarms_and_counts(told: World, tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    shuffled = beginning()
    random.Random(3).shuffle(shuffled)
    world.inbox.put(shuffled)
    world.until_idle()
    newcomers = [candidate(NEW, i) for i in range(20)]
    random.Random(4).shuffle(newcomers)
    world.inbox.put(newcomers)
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(20, 40))
    world.until_idle()
    assert outcome(world) == outcome(told)


WRITES = {
    "samples": (
        "admit",
        "add_vectors",
        "add_scores",
        "save_evaluations",
        "save_alarms",
        "save_tests",
        "commit_statistics",
        "update_episode",
        "add_event",
        "mark_sent",
    ),
    "registry": ("add_version", "promote"),
}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", [(port, name) for port, names in WRITES.items() for name in names], ids="-".join)
def test_a_process_that_ends_at_a_write_loses_and_doubles_nothing(
    write: tuple[str, str], after: bool, told: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, name = write
    world = World(tmp_path / "state")
    world.inbox.put(beginning())
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(20))
    target = getattr(world.store, port)
    original = getattr(type(target), name)

    def dying(self: Any, *arguments: Any, **named: Any) -> Any:
        if after:
            original(self, *arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(target), name, dying)
        with pytest.raises(Killed):
            world.cycle()
    world.store.close()
    world.open()
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(20, 40))
    world.until_idle()
    mine, theirs = outcome(world), outcome(told)
    assert mine == theirs
    assert_whole(world)


def test_without_a_finite_threshold_recall_says_nothing_and_raises_no_alarm(tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    wanted = {"train": 40, "reference": 25, "calibration": 10}  # 10 calibration reals cannot place a 5 % threshold
    reals: list[Candidate] = []
    for part, count in wanted.items():
        every = [candidate(name, i) for i in range(200) for name in SOURCES[:3]]
        reals += [c for c in every if split_of(str(c.group), DEFAULT_SHARES) == part][:count]
    few = [c for c in beginning() if c.label == "synthetic"] + reals
    world.inbox.put(few)
    world.until_idle()
    champion = world.context.champion.get()
    assert champion is not None and champion.threshold("raw") == float("inf")
    world.inbox.put(candidate(KNOWN[0], i) for i in range(100, 140))
    world.until_idle()
    assert world.store.samples.episodes() == []
