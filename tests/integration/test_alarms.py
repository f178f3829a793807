"""Each alarm on the real store: what raises it, what it is not confused with, and what must change nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from daemon.corrections.model import Relabel
from daemon.drift.river_detectors import RIVER_NAMES
from daemon.drift.subject_test import SubjectTest
from daemon.learn.learning import Challenge, update
from daemon.model import Alarm, Candidate, Subject, TestState
from daemon.promote.deciding import promote_by_hand
from daemon.settings import AlarmSettings, LearnSettings, PolicySettings
from daemon.status.snapshot import Sources, snapshot
from daemon.telemetry import Telemetry
from daemon.views import Status
from tests.integration.test_story import assert_whole
from tests.integration.world import KNOWN, NEW, SOURCES, World, beginning, candidate

FAMILY = Subject("family", KNOWN[0])
MANUAL = LearnSettings(automatic=False)


def disguised(name: str, looks_like: str, numbers: range) -> list[Candidate]:
    """Deliveries that claim to be `name`, but whose pictures are those of another subject."""
    return [
        candidate(name, i, content=f"{looks_like}:{name}-{i}".encode(), group=f"{name}-odd-{i}", uri=f"{name}/odd/{i}")
        for i in numbers
    ]


def settled(root: Path, **alarms: Any) -> World:
    """A world whose champion has seen 110 later pictures of one family without alarm, and one more batch of it."""
    world = World(root)
    configure(world, **alarms)
    world.inbox.put(beginning())
    world.until_idle()
    world.inbox.put(candidate(KNOWN[0], i) for i in range(100, 210))
    world.until_idle()
    world.inbox.put(candidate(KNOWN[0], i) for i in range(210, 230))
    world.until_idle()
    return world


def configure(world: World, **alarms: Any) -> None:
    """Alarms as given; only a family that evades is learned, so that what else is alarmed stays to be looked at."""
    learn = LearnSettings(policy=PolicySettings(triggers=("alarm",)))
    settings = world.context.settings.model_copy(update={"alarms": AlarmSettings(**alarms), "learn": learn})
    world.context = replace(world.context, settings=settings)


def state_of(world: World, subject: Subject = FAMILY) -> TestState:
    """The subject's test against the first champion."""
    first = world.store.registry.versions()[0].id
    (found,) = [state for state in world.store.samples.test_states(first) if state.subject == subject]
    return found


def alarm(world: World, kind: str) -> Alarm | None:
    found = [a for a in world.store.samples.alarms() if a.kind == kind]
    return found[0] if found else None


def relabel(world: World, *candidates: Candidate) -> None:
    """Somebody says that these pictures are another family's."""
    digests = [sha256(one.content).hexdigest() for one in candidates]
    world.store.samples.relabel(digests, Relabel("synthetic", "elsewhere"), "wrong", "ada", world.clock.now())


def status(world: World) -> Status:
    context = world.context
    store = world.store
    sources = Sources(context.settings, store.samples, store.registry, store.runs, "f" * 64, True, store.migrations)
    return snapshot(sources, "ready", world.clock.now())


def kinds(world: World) -> list[str]:
    """What the alarms told, without the changes of state that tell the same once more with their figures."""
    told = (event.kind for event in world.told)
    return [kind for kind in told if not kind.startswith("champion") and not kind.endswith("_state_changed")]


# --- known families ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("detector", ["e_process", *RIVER_NAMES])
def test_a_known_family_that_gets_worse_degrades_and_then_evades(tmp_path: Path, detector: str) -> None:
    world = settled(tmp_path / "state", detector=detector)
    assert SubjectTest.from_dict(state_of(world).state).stage == "known"
    world.inbox.put(disguised(KNOWN[0], NEW, range(40)))
    world.cycle()
    (family,) = [f for f in status(world).families if f.name == KNOWN[0]]
    assert family.state == "degraded"
    assert kinds(world) == ["family_degraded"]
    assert world.store.samples.episodes() == []
    world.inbox.put(disguised(KNOWN[0], NEW, range(40, 70)))
    assert world.cycle().alarmed == (KNOWN[0],)
    (episode,) = world.store.samples.episodes()
    assert episode.family == KNOWN[0] and 0 < episode.samples_to_alarm <= 30
    assert_whole(world)


def test_a_known_family_that_stays_healthy_is_left_alone(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    world.inbox.put(candidate(KNOWN[0], i) for i in range(300, 500))
    world.until_idle()
    assert kinds(world) == []
    assert not SubjectTest.from_dict(state_of(world).state).degraded


def test_a_family_that_recovered_is_known(tmp_path: Path) -> None:
    world = World.settled(tmp_path / "state")
    for numbers in (range(20), range(20, 40), range(40, 50)):
        world.inbox.put(candidate(NEW, i) for i in numbers)
        world.until_idle()
    assert [episode.state for episode in world.store.samples.episodes()] == ["recovered"]
    champion = world.store.registry.champion()
    assert champion is not None
    stages = {
        t.subject.name: SubjectTest.from_dict(t.state).stage for t in world.store.samples.test_states(champion.id)
    }
    assert stages == {NEW: "known"}


@pytest.mark.parametrize("detector", ["e_process", *RIVER_NAMES])
def test_neither_order_nor_restarts_leave_a_trace_in_the_tests_of_known_families(tmp_path: Path, detector: str) -> None:
    plain = settled(tmp_path / "plain", detector=detector)
    other = settled(tmp_path / "other", detector=detector)
    for numbers in (range(15), range(15, 40)):
        batch = disguised(KNOWN[0], NEW, numbers) + [candidate(KNOWN[1], i) for i in range(100, 130)]
        plain.inbox.put(batch)
        plain.cycle()
        random.Random(5).shuffle(batch)
        other.store.close()
        other.open()
        configure(other, detector=detector)
        other.inbox.put(batch)
        other.cycle()
    for name in KNOWN[:2]:
        mine, theirs = (state_of(world, Subject("family", name)) for world in (plain, other))
        assert mine.state == theirs.state
        assert (mine.votes, mine.log10_evidence) == (theirs.votes, theirs.log10_evidence)
        # whatever saw it, only the family that got worse has degraded
        assert SubjectTest.from_dict(mine.state).degraded == (name == KNOWN[0])


def test_a_family_that_a_new_champion_misses_from_its_first_day_is_not_known(tmp_path: Path) -> None:
    """Held to a baseline below the floors it would be missed for ever."""
    world = settled(tmp_path / "state")
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"learn": MANUAL}))
    world.store.samples.anchor_family(KNOWN[0], False, "a yardstick", "ada", world.clock.now())
    world.until_idle()
    without = update(world.context)
    assert isinstance(without, Challenge)
    promote_by_hand(world.context, without.version.record.id, "ada", "learned without the anchor")
    world.until_idle()
    world.inbox.put(candidate(KNOWN[0], i) for i in range(1000, 1040))
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None and champion.id == without.version.record.id
    (state,) = [one for one in world.store.samples.test_states(champion.id) if one.subject == FAMILY]
    assert SubjectTest.from_dict(state.state).stage == "new" and state.alarmed_at is not None
    assert [(e.family, e.state) for e in world.store.samples.episodes()] == [(KNOWN[0], "alarmed")]


def test_a_correction_leaves_a_degraded_familys_proof_what_it_was(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"learn": MANUAL}))
    for numbers in (range(40), range(40, 70), range(70, 80)):
        world.inbox.put(disguised(KNOWN[0], NEW, numbers))
        world.until_idle()
    before = state_of(world)
    assert before.alarmed_at is not None
    relabel(world, candidate(KNOWN[0], 110))  # of its baseline
    world.until_idle()
    after = state_of(world)
    assert after.alarmed_at == before.alarmed_at and after.votes == before.votes
    assert after.log10_evidence == pytest.approx(before.log10_evidence)  # batches are counted in another order
    was, counted_anew = (SubjectTest.from_dict(state.state) for state in (before, after))
    assert counted_anew.degraded and counted_anew.begun() == was.begun()
    # What proved it was wrong all the time: the change is not proved any more, the floor test's cost stays spent.
    relabel(world, *disguised(KNOWN[0], NEW, range(80)))
    world.until_idle()
    healthy = SubjectTest.from_dict(state_of(world).state)
    assert (healthy.stage, healthy.degraded, healthy.floor) == ("known", False, None)
    assert healthy.begun() == SubjectTest.from_dict(before.state).begun() != ()
    assert [e.state for e in world.store.samples.episodes() if e.family == KNOWN[0]] == ["closed"]
    assert_whole(world)


# --- alarms that are not one family's ---------------------------------------------------------------------


def test_many_families_that_move_together_are_a_fault_and_no_family_is_accused(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    before = state_of(world)
    for name in KNOWN:
        world.inbox.put(disguised(name, NEW, range(20)))
    world.until_idle()
    fault = alarm(world, "pipeline_fault")
    assert fault is not None and fault.raised_at is not None
    assert fault.state["moved"] == sorted(KNOWN)
    assert kinds(world) == ["pipeline_fault"]
    assert world.store.samples.episodes() == [] and len(world.store.registry.versions()) == 1
    assert state_of(world) == before
    for name in KNOWN:
        world.inbox.put(candidate(name, i) for i in range(400, 460))
    world.until_idle()
    assert kinds(world) == ["pipeline_fault", "pipeline_fault_over"]
    assert state_of(world).votes > before.votes
    assert world.store.samples.episodes() == []


def test_a_correction_while_a_fault_stands_makes_nothing_suspect_that_came_before(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"learn": MANUAL}))
    world.inbox.put(candidate(NEW, i) for i in range(20))
    world.until_idle()
    newcomer = Subject("family", NEW)
    good = [state_of(world, subject).votes for subject in (newcomer, FAMILY)]
    for name, source in zip(KNOWN, SOURCES, strict=False):
        world.inbox.put(disguised(name, source, range(40)))
    world.until_idle()
    fault = alarm(world, "pipeline_fault")
    assert fault is not None and fault.raised_at is not None
    relabel(world, candidate(NEW, 0), candidate(KNOWN[0], 220))
    for _ in range(3):  # their tests wait to count anew: nothing else is new
        world.cycle()
    for name, source in zip(KNOWN, SOURCES, strict=False):  # the fault goes on
        world.inbox.put(disguised(name, source, range(40, 60)))
    world.until_idle()
    still = alarm(world, "pipeline_fault")
    assert still is not None and still.raised_at == fault.raised_at
    (first,), (whole,) = fault.state["suspect"], still.state["suspect"]  # one range for a fault, however long it stands
    assert whole[0] == first[0] and whole[1] > first[1]
    for name in KNOWN:
        world.inbox.put(candidate(name, i) for i in range(400, 460))
    world.until_idle()
    over = alarm(world, "pipeline_fault")
    assert over is not None and over.raised_at is None and over.state["suspect"] == [whole]
    assert state_of(world, newcomer).votes == good[0] - 1, "one picture of it was another family's"
    assert [(e.family, e.state) for e in world.store.samples.episodes()] == [(NEW, "alarmed")]
    assert_whole(world)


def test_one_new_generator_is_no_fault(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    world.inbox.put(candidate(NEW, i) for i in range(20))
    world.cycle()
    assert kinds(world) == ["family_evades"]
    fault = alarm(world, "pipeline_fault")
    assert fault is not None and fault.raised_at is None


def test_fresh_reals_that_score_differently_are_a_shift_and_like_ones_are_none(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    for source in SOURCES:
        world.inbox.put(candidate(source, i) for i in range(100, 130))
    world.until_idle()
    shift = alarm(world, "real_pool_shift")
    assert shift is not None and shift.raised_at is None and int(str(shift.state["votes"])) > 100
    assert kinds(world) == []
    for source in SOURCES:
        world.inbox.put(disguised(source, KNOWN[1], range(20)))
    world.cycle()
    shift = alarm(world, "real_pool_shift")
    assert shift is not None and shift.raised_at is not None
    assert "real_pool_shift" in kinds(world)
    assert "family_evades" not in kinds(world) and "pipeline_fault" not in kinds(world)


def nameless(looks_like: str, numbers: range) -> list[Candidate]:
    return [candidate(looks_like, i, label="synthetic", family=None, source="found") for i in numbers]


def test_a_nameless_batch_of_an_unknown_generator_is_novel_and_one_of_a_known_is_not(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    world.inbox.put(nameless(KNOWN[1], range(500, 520)))
    world.until_idle()
    found = alarm(world, "novel_family")
    assert found is not None and found.raised_at is None
    assert kinds(world) == []
    world.inbox.put(nameless(NEW, range(20)))
    world.until_idle()
    found = alarm(world, "novel_family")
    assert found is not None and found.raised_at is not None and found.about == "found"
    assert kinds(world) == ["novel_family"]
    world.cycle()
    assert kinds(world) == ["novel_family"]
    nearest = [cluster["nearest_family"] for cluster in found.state["clusters"]]  # type: ignore[attr-defined]
    assert set(nearest) <= set(KNOWN)
    telemetry = Telemetry("1")
    telemetry.publish(status(world))
    value = telemetry.registry.get_sample_value
    assert value("sidwatch_novelty_evidence_log10", {"source": "found"}) == found.log10_evidence
    assert value("sidwatch_alarms_raised", {"alarm": "novel_family"}) == 1


def test_one_nameless_picture_is_never_judged(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    world.inbox.put(nameless(NEW, range(9)))
    world.until_idle()
    assert alarm(world, "novel_family") is None


def test_what_does_not_come_is_told_once_and_is_over_when_it_comes(tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    configure(world, family_stale_after="5d", adapter_stale_after="8d", insufficient_after="3d")
    world.inbox.put([*beginning(), *(candidate("rare", i) for i in range(4))])
    world.until_idle()
    for _ in range(10):
        world.cycle()
    assert sorted(kinds(world)) == ["insufficient", *["stale"] * 5]
    about = {a.about for a in world.store.samples.alarms() if a.kind == "stale"}
    assert about == {*KNOWN, "rare", "adapter world"}
    world.inbox.put([candidate(KNOWN[0], 99), *(candidate("rare", i) for i in range(4, 12))])
    world.cycle()
    over = [kind for kind in kinds(world) if kind.endswith("_over")]
    assert sorted(over) == ["insufficient_over", *["stale_over"] * 3]


# --- the budget -------------------------------------------------------------------------------------------


def test_the_budget_is_shown_and_restarts_after_a_promotion_are_counted(tmp_path: Path) -> None:
    world = World.settled(tmp_path / "state")
    first = status(world).alarm_budget
    assert first is not None
    assert first.new_tests == len(KNOWN) + len(SOURCES)
    world.inbox.put(candidate(NEW, i) for i in range(20))
    world.until_idle()
    world.inbox.put(candidate(name, i) for i in range(70, 75) for name in (*KNOWN, *SOURCES))
    world.until_idle()
    assert len(world.store.registry.versions()) == 2
    second = status(world).alarm_budget
    assert second is not None
    assert second.new_tests == 2 * first.new_tests + 1
    assert first.new_spent < second.new_spent < second.false_alarms_per_30_days / 2


def test_a_known_family_is_counted_with_its_votes(tmp_path: Path) -> None:
    world = settled(tmp_path / "state")
    budget = status(world).alarm_budget
    assert budget is not None
    assert budget.known_subjects == 1
    assert budget.known_votes >= 190
    assert budget.run_length == pytest.approx(2 * 1000 / 1.0)
    assert budget.known_spent == pytest.approx(budget.known_votes / budget.run_length)
