"""A shift of the real pool is answered by the champion's own head with its thresholds placed anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from daemon.champion import load_version
from daemon.context import Context
from daemon.errors import BadInputError
from daemon.learn import recalibrating
from daemon.learn.learning import evidence
from daemon.learn.recalibrating import answer_to_shift, is_due, recalibrate
from daemon.model import Alarm, Candidate, LabelledVectors, Profile, VersionRecord
from daemon.settings import LearnSettings, PolicySettings
from daemon.supervisor import run_update
from tests.integration.test_story import assert_whole
from tests.integration.world import SOURCES, START, World, candidate


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with its first champion."""
    world = World.settled(tmp_path_factory.mktemp("begun") / "state")
    world.store.close()
    return world.root


@pytest.fixture
def world(begun: Path, tmp_path: Path) -> World:
    shutil.copytree(begun, tmp_path / "state")
    world = World(tmp_path / "state")
    world.inbox.batches.append([])  # what the state has taken in already
    world.clock.catch_up(START + timedelta(days=10))
    return world


def fresh(count: int) -> list[Candidate]:
    """Photographs of every camera, four of five of which look like a known generator's pictures."""
    return [
        candidate(
            source, i, content=f"{source if i % 5 == 0 else 'old_gan'}:{source}-{i}".encode(), group=f"{source}-odd-{i}"
        )
        for i in range(1000, 1000 + count)
        for source in SOURCES
    ]


def in_force(world: World) -> VersionRecord:
    champion = world.store.registry.champion()
    assert champion is not None
    return champion


def test_a_shift_moves_the_threshold_and_nothing_else(world: World) -> None:
    before = load_version(world.store.registry, in_force(world))
    learn = LearnSettings(policy=PolicySettings(triggers=("real_pool_shift",)))  # the sources are misjudged, too
    world.context = replace(world.context, settings=world.settings.model_copy(update={"learn": learn}))
    world.inbox.put(fresh(40))
    world.until_idle()
    made = [version for version in world.store.registry.versions() if version.learner == "recalibrate"]
    assert made and made[0].parent == before.record.id and made[0].verdict is not None
    after = load_version(world.store.registry, made[0])
    rows = world.store.samples.labelled_vectors(before.record.fingerprint, "raw")
    assert np.array_equal(before.held_out(rows), after.held_out(rows)), "the head is the same"
    assert made[0].statistics_revision == before.record.statistics_revision
    for profile in ("raw", "laundered"):
        moved = after.artifact.thresholds[profile]  # type: ignore[index]
        assert moved.value > before.artifact.thresholds[profile].value  # type: ignore[index]
        assert moved.note.startswith("moved by +") and moved.method == "left_out_source"
    differences = [check["difference"] for check in made[0].verdict["checks"] if check["name"] == "family"]  # type: ignore
    assert differences and set(differences) == {0.0}, "no family is told apart otherwise"
    assert made[0].verdict["decision"] == "promote" and in_force(world).id == made[0].id
    assert_whole(world)


def test_by_hand_it_wants_a_champion_and_fresh_photographs(world: World, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="too few photographs of trusted sources"):
        recalibrate(world.context)
    with pytest.raises(BadInputError, match="no champion yet"):
        recalibrate(World(tmp_path / "empty").context)
    world.inbox.put(candidate(source, i) for i in range(1000, 1020) for source in SOURCES)
    world.until_idle()
    outcome = run_update(world.context, "recalibrate")
    assert outcome.version is not None and outcome.decision in ("promote", "hold")
    record = world.store.registry.version(outcome.version)
    assert json.loads(world.store.registry.artifact(record.id)[1])["about"]["learner"] == "recalibrate"


def test_a_shift_is_answered_once_and_again_when_twice_as_many_have_voted(world: World) -> None:
    champion = in_force(world)
    at = world.clock.now()
    shift = Alarm("real_pool_shift", "", champion.id, {"votes": 40}, 5.0, 3.0, at)
    assert is_due(shift, champion.id, [champion])
    assert not is_due(replace(shift, raised_at=None), champion.id, [champion])
    assert not is_due(replace(shift, version="v0"), champion.id, [champion])
    held = replace(champion, id="v9", parent=champion.id, learner="recalibrate", state="held", verdict={"votes": 30})
    assert not is_due(shift, champion.id, [champion, held])
    assert is_due(replace(shift, state={"votes": 60}), champion.id, [champion, held])
    waiting = replace(held, state="waiting")
    assert not is_due(replace(shift, state={"votes": 600}), champion.id, [champion, waiting])


@pytest.mark.parametrize("nothing_moved", [False, True])
def test_a_shift_that_has_no_answer_yet_costs_an_idle_cycle_nothing(
    nothing_moved: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = load_version(world.store.registry, in_force(world))
    shift = Alarm(
        "real_pool_shift", "", champion.record.id, {"votes": 40, "last_score_id": 7}, 5.0, 3.0, world.clock.now()
    )
    read: list[str] = []

    def counting(context: Context, fingerprint: str) -> dict[Profile, LabelledVectors]:
        read.append(fingerprint)
        return evidence(context, fingerprint)

    monkeypatch.setattr(recalibrating, "evidence", counting)
    monkeypatch.setattr(recalibrating, "find", lambda alarms, kind: shift)
    if nothing_moved:  # else: no photograph is fresh
        monkeypatch.setattr(recalibrating, "placed_anew", lambda *given: dict(champion.artifact.thresholds))
    assert [answer_to_shift(world.context, champion) for _ in range(3)] == [None] * 3
    assert len(read) == 1
    shift = replace(shift, state={"votes": 41, "last_score_id": 8})
    assert [answer_to_shift(world.context, champion) for _ in range(3)] == [None] * 3
    assert len(read) == 2, "asked again when something came"
    world.store.close()
    world.open()
    assert [answer_to_shift(world.context, champion) for _ in range(3)] == [None] * 3
    assert len(read) == 3, "a fresh process asks once"
