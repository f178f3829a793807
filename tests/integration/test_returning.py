"""The previous version comes back by itself: when the champion is damaged, and when it is proved worse."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.app import sources_of
from daemon.champion import load_version
from daemon.encoders.embedding import embed
from daemon.errors import CorruptArtifact
from daemon.heads.artifact import write
from daemon.intake.taking_in import intake
from daemon.learn.bookkeeping import finish_forgetting
from daemon.model import Alarm, ForgetTarget, VersionRecord
from daemon.notify.notifying import notify
from daemon.promote.deciding import promote_by_hand, roll_back
from daemon.promote.returning import return_from_damage, return_from_worse
from daemon.promote.watching import live_rows
from daemon.registry.flapping import WATCH
from daemon.status.snapshot import snapshot
from daemon.suspect import suspect_samples
from tests.integration.test_alarms import alarm, disguised
from tests.integration.test_story import assert_whole, checks
from tests.integration.world import ADAPTER, KNOWN, NEW, SOURCES, START, World, candidate


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


def in_force(world: World) -> VersionRecord:
    champion = world.store.registry.champion()
    assert champion is not None
    return champion


def successor(world: World, raised: float, later: int = 0) -> VersionRecord:
    """A copy of the champion whose threshold is higher by that much, promoted as the gate does."""
    before = load_version(world.store.registry, in_force(world))
    thresholds = {p: replace(t, value=t.value + raised) for p, t in before.artifact.thresholds.items()}
    about = {**before.artifact.about, "parent": before.record.id}
    tensors, manifest = write(replace(before.artifact, thresholds=thresholds, about=about))
    record = world.store.registry.add_version(
        parent=before.record.id,
        fingerprint=before.record.fingerprint,
        learner="closed_form",
        statistics_revision=before.record.statistics_revision + later,
        manifest=manifest,
        tensors=tensors,
        at=world.clock.now(),
    )
    verdict = {"decision": "promote", "reason": "the test says so"}
    world.store.registry.promote(
        record.id, expected=before.record.id, actor="gate", reason="better", verdict=verdict, at=world.clock.now()
    )
    world.clock.after_cycle()
    return world.store.registry.version(record.id)


def live(world: World, beginning_at: int, count: int = 30) -> None:
    names = (*KNOWN, *SOURCES)
    world.inbox.put(candidate(name, beginning_at + i) for i in range(count) for name in names)
    world.until_idle()


def damage(world: World, version: VersionRecord) -> None:
    path = world.root / "versions" / f"{version.manifest_sha256}.json"  # the tensors are those of its copies too
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_one_that_misses_what_the_previous_one_caught_is_taken_back(world: World) -> None:
    first = in_force(world)
    worse = successor(world, raised=1e6)
    live(world, 1000)
    assert in_force(world).id == first.id
    last = world.store.registry.audit()[-1]
    assert (last.action, last.actor, last.version, last.previous) == ("rollback", WATCH, first.id, worse.id)
    assert "proved worse" in last.reason and "90 groups of fakes" in last.reason
    assert [event.kind for event in world.told].count("champion_rolled_back") == 1
    assert_whole(world)


def test_damage_of_a_version_that_could_come_back_is_named_and_the_way_on_from_a_damaged_champion_is(
    world: World,
) -> None:
    def broken() -> list[tuple[int, str]]:
        return [(c.number, c.detail) for c in checks(world) if not c.ok]

    def said() -> str:
        with pytest.raises(CorruptArtifact) as raised:
            snapshot(sources_of(world.context.settings, world.store), "stopped", world.clock.now())
        return str(raised.value)

    first = in_force(world)
    damage(world, first)
    assert said().startswith(f"the champion {first.id} is damaged: ") and "rollback" not in said()  # to what?
    damage(world, first)  # whole again
    second = successor(world, raised=1e-9)
    world.until_idle()
    damage(world, first)
    ((number, detail),) = broken()
    assert number == 1 and detail.startswith(f"{first.id} (promoted): ") and "was changed" in detail
    damage(world, first)  # whole again
    damage(world, second)
    assert said().startswith(f"the champion {second.id} is damaged: ") and "models rollback" in said()
    assert return_from_damage(world.context) is not None
    assert broken() == [], "what the service left because of the damage is known"


def test_one_that_is_as_good_stays(world: World) -> None:
    same = successor(world, raised=1e-9)
    live(world, 1000, count=60)
    assert in_force(world).id == same.id
    assert_whole(world)


def test_what_a_person_promoted_is_not_undone(world: World) -> None:
    first = in_force(world)
    worse = successor(world, raised=1e6)
    promote_by_hand(world.context, first.id, "ada", "for the moment")
    promote_by_hand(world.context, worse.id, "ada", "on purpose")
    world.clock.after_cycle()
    live(world, 1000)
    assert in_force(world).id == worse.id


def test_the_first_pictures_since_the_promotion_are_watched_and_the_window_does_not_slide(world: World) -> None:
    evaluation = world.context.settings.evaluate.model_copy(update={"last_per_subject": 10})
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"evaluate": evaluation}))
    champion = in_force(world)
    since, watched = world.clock.now() - timedelta(seconds=1), []
    for start in (1000, 1030):
        world.inbox.put(candidate(KNOWN[0], i) for i in range(start, start + 30))
        world.cycle()
        rows = live_rows(world.context, champion.fingerprint, since, most=40)
        watched.append(rows.sample_ids.tolist())
    assert len(watched[0]) == 30 and len(watched[1]) == 40, "of the newest 10 alone it were 10 and 10"
    assert watched[1][:30] == watched[0], "what voted once votes in its place again"


def test_what_came_before_the_promotion_counts_nothing(world: World) -> None:
    live(world, 1000)
    worse = successor(world, raised=1e6)
    world.until_idle()
    assert in_force(world).id == worse.id


def test_what_came_with_a_pipeline_fault_takes_nothing_back_while_it_stands_or_later(world: World) -> None:
    world.inbox.put(candidate(NEW, i) for i in range(40))
    live(world, 100, count=15)
    learned = in_force(world)
    assert [(e.family, e.state) for e in world.store.samples.episodes()] == [(NEW, "learned")]
    swapped = [one for name, camera in zip(KNOWN, SOURCES, strict=False) for one in disguised(name, camera, range(30))]
    world.inbox.put([*swapped, *disguised(SOURCES[0], NEW, range(40))])
    world.cycle()
    fault = alarm(world, "pipeline_fault")
    assert fault is not None and fault.raised_at is not None
    assert in_force(world).id == learned.id
    assert len(suspect_samples(world.store.samples)) == 130
    live(world, 200, count=60)
    fault = alarm(world, "pipeline_fault")
    assert fault is not None and fault.raised_at is None, "the families' recent votes are good again"
    assert return_from_worse(world.context) is None and in_force(world).id == learned.id
    assert WATCH not in {row.actor for row in world.store.registry.audit()}
    assert_whole(world)


def test_in_a_pipeline_fault_only_the_families_that_fell_take_a_version_back_and_once_it_is_over_all_do(
    world: World,
) -> None:
    first = in_force(world)
    worse = successor(world, raised=1e6)
    odd = disguised(KNOWN[2], SOURCES[0], range(30))  # photographs: the version before does not catch them either
    world.inbox.put([*odd, *(candidate(name, i) for i in range(1000, 1030) for name in KNOWN[:2])])
    intake(world.context, ADAPTER)
    embed(world.context)

    fault = Alarm("pipeline_fault", "", worse.id, {"moved": [KNOWN[2]], "mark": "a test"}, 9.0, 3.0, START)
    world.store.samples.save_alarms([fault])
    assert return_from_worse(world.context) is None and in_force(world).id == worse.id
    world.store.samples.save_alarms([replace(fault, raised_at=None)])
    assert return_from_worse(world.context) is not None and in_force(world).id == first.id


def test_while_a_pipeline_fault_stands_damage_still_brings_the_previous_version_back(world: World) -> None:
    first = in_force(world)
    second = successor(world, raised=1e-9)
    world.store.samples.save_alarms([Alarm("pipeline_fault", "", second.id, {"mark": "a test"}, 9.0, 3.0, START)])
    damage(world, second)
    world.cycle()
    assert in_force(world).id == first.id


def test_what_is_worse_and_stays_because_the_version_before_holds_forgotten_samples_is_told_once(world: World) -> None:
    worse = successor(world, raised=1e6)
    world.inbox.put(candidate(name, i) for i in range(1000, 1030) for name in (*KNOWN, *SOURCES))
    intake(world.context, ADAPTER)
    embed(world.context)
    world.store.samples.forget(ForgetTarget("family", KNOWN[2]), "a test", "tester", world.clock.now())
    finish_forgetting(world.context)
    with capture_logs() as logs:
        for _ in range(3):
            assert return_from_worse(world.context) is None
            notify(world.context)
    assert in_force(world).id == worse.id
    (told,) = [event for event in world.told if event.kind == "champion_worse"]
    assert told.data["version"] == worse.id and "proved worse" in told.text and "forgotten since" in told.text
    assert len([line for line in logs if line["log_level"] == "warning"]) == 1


def test_after_two_returns_nothing_comes_into_force_by_itself_until_a_person_decides(world: World) -> None:
    for number in (1, 2):
        successor(world, raised=1e6 * number)
        live(world, 1000 * number, count=10)
    assert [row.actor for row in world.store.registry.audit()][-1] == WATCH
    first = in_force(world)
    world.inbox.put(candidate(NEW, i) for i in range(60))
    world.until_idle()
    (waiting,) = [version for version in world.store.registry.versions() if version.state == "waiting"]
    assert in_force(world).id == first.id
    promote_by_hand(world.context, waiting.id, "ada", "looked at it")
    assert in_force(world).id == waiting.id
    assert_whole(world)


def test_a_damaged_champion_gives_way_to_the_one_before_it(world: World) -> None:
    first = in_force(world)
    second = successor(world, raised=1e-9)
    damage(world, second)
    world.cycle()
    assert in_force(world).id == first.id
    last = world.store.registry.audit()[-1]
    assert (last.action, last.actor) == ("rollback", WATCH)
    assert "is damaged" in last.reason
    assert world.cycle().idle


def test_after_damage_a_version_that_somebody_rolled_back_comes_last(world: World) -> None:
    first = in_force(world)
    second = successor(world, raised=1e-9)
    third = successor(world, raised=2e-9)
    roll_back(world.context, "ada", "false positives in the newsroom")
    damage(world, second)
    assert return_from_damage(world.context) is not None
    assert in_force(world).id == first.id, "not the one that Ada took away"
    damage(world, first)
    assert return_from_damage(world.context) is not None
    assert in_force(world).id == third.id, "better than none"


def test_after_damage_what_holds_forgotten_samples_stays_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = in_force(world)
    successor(world, raised=1e-9, later=1)
    damage(world, successor(world, raised=2e-9))
    whole = first.statistics_revision
    monkeypatch.setattr(world.store.samples, "forgotten_in", lambda _, revision: 3 if revision > whole else 0)
    assert return_from_damage(world.context) is not None
    assert in_force(world).id == first.id


def test_without_a_whole_one_it_stops_with_one_clear_line(world: World) -> None:
    damage(world, in_force(world))
    with pytest.raises(CorruptArtifact, match="no whole version was in force before"):
        return_from_damage(world.context)


def test_a_damaged_previous_version_ends_the_watch_and_nothing_else(world: World) -> None:
    first = in_force(world)
    worse = successor(world, raised=1e6)
    damage(world, first)
    live(world, 1000)
    assert in_force(world).id == worse.id
