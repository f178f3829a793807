"""promotion.mode shadow: live pictures come between the gate's word and the champion's place."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from daemon.app import sources_of
from daemon.cli import run
from daemon.model import Alarm, ForgetTarget, VersionRecord
from daemon.promote import shadowing
from daemon.promote.deciding import approve, promote_by_hand, reject_by_hand
from daemon.settings import EncoderSettings, PromotionSettings, Settings
from daemon.status.snapshot import snapshot
from tests.integration.test_alarms import alarm, disguised
from tests.integration.test_story import assert_whole
from tests.integration.world import ADAPTER, KNOWN, NEW, SOURCES, START, World, beginning, candidate

SETTINGS = Settings(
    adapters=(ADAPTER,),
    encoder=EncoderSettings(name="forensic"),
    promotion=PromotionSettings(mode="shadow", shadow_samples=60, shadow_for=timedelta(days=30)),
)


@pytest.fixture(scope="module")
def shaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state in which a challenger that learned the newcomer judges in the shadow."""
    world = World(tmp_path_factory.mktemp("shaded") / "state", settings=SETTINGS)
    world.inbox.put(beginning())
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(60))
    world.until_idle()
    world.store.close()
    return world.root


@pytest.fixture
def world(shaded: Path, tmp_path: Path) -> World:
    shutil.copytree(shaded, tmp_path / "state")
    world = World(tmp_path / "state", settings=SETTINGS)
    world.inbox.batches += [[], []]  # what the state has taken in already
    world.clock.catch_up(START + timedelta(days=10))
    return world


def challenger(world: World) -> VersionRecord:
    (found,) = [version for version in world.store.registry.versions() if version.state == "shadow"]
    return found


def in_force(world: World) -> str:
    champion = world.store.registry.champion()
    assert champion is not None
    return champion.id


def live(world: World, count: int, start: int = 1000) -> None:
    names = (*KNOWN, *SOURCES, NEW)
    world.inbox.put(candidate(name, start + i) for i in range(count) for name in names)


def actions(world: World) -> list[str]:
    return [row.action for row in world.store.registry.audit()]


def test_what_passed_judges_live_pictures_first_and_comes_into_force_once_they_agree(world: World) -> None:
    version = challenger(world)
    assert in_force(world) == version.parent and actions(world) == ["promote", "shadow"]
    live(world, 5)  # 50 pictures
    world.until_idle()
    (shadow,) = snapshot(sources_of(world.settings, world.store), "ready", world.clock.now()).shadows
    assert (shadow.version, shadow.samples, shadow.wanted) == (version.id, 50, 60)
    assert in_force(world) == version.parent, "not enough yet"
    for profile in ("raw", "laundered"):
        assert len(world.store.samples.scored_rows(version.id, profile)) == 50  # type: ignore[arg-type]
    world.store.close()
    world.open()  # a restart goes on where it was
    live(world, 2, start=2000)
    world.until_idle()
    assert in_force(world) == version.id and actions(world) == ["promote", "shadow", "promote"]
    verdict = world.store.registry.version(version.id).verdict
    assert verdict is not None
    noted: Any = verdict["shadow"]
    assert noted["samples"] == 70 and noted["before"]["decision"] == "promote"
    assert noted["live"]["fakes"] + noted["live"]["reals"] == 60, "the first so many count"
    assert verdict["learned"] == [["family", NEW]]
    assert [episode.state for episode in world.store.samples.episodes()] in (["learned"], ["recovered"])
    assert [event.kind for event in world.told].count("champion_promoted") == 1
    assert_whole(world)


def test_the_champion_scores_every_live_picture_first(world: World) -> None:
    version = challenger(world)
    live(world, 3)
    world.until_idle()
    assert version.parent is not None
    by_champion = {row.sample_id for row in world.store.samples.scored_rows(version.parent, "raw")}
    assert {row.sample_id for row in world.store.samples.scored_rows(version.id, "raw")} <= by_champion
    assert world.store.samples.queue(version.fingerprint)["score"][0] == 0


def test_when_its_time_is_over_the_gate_is_asked_with_what_there_is(world: World) -> None:
    version = challenger(world)
    world.clock.catch_up(world.clock.now() + timedelta(days=31))
    report = world.cycle()
    assert (report.version, report.decision) == (version.id, "promote")
    assert in_force(world) == version.id


def test_one_that_live_pictures_prove_worse_is_rejected_whatever_the_gate_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = challenger(world)
    real = shadowing.compare_versions

    def blamed(*arguments: Any) -> Any:
        found = real(*arguments)
        assert not found.worse
        return replace(found, log10_evidence=found.log10_alarm + 1.0)

    monkeypatch.setattr(shadowing, "compare_versions", blamed)
    live(world, 7)
    world.until_idle()
    after = world.store.registry.version(version.id)
    assert after.state == "rejected" and in_force(world) == version.parent
    assert "proved worse" in world.store.registry.audit()[2].reason
    assert_whole(world)


def test_while_a_pipeline_fault_stands_nothing_is_decided(world: World) -> None:
    version = challenger(world)
    world.clock.catch_up(world.clock.now() + timedelta(days=31))
    at = world.clock.now()
    fault = Alarm("pipeline_fault", "", str(version.parent), {"mark": "a test"}, 9.0, 3.0, at)
    world.store.samples.save_alarms([fault])
    assert shadowing.end_shadow(world.context) is None
    world.store.samples.save_alarms([replace(fault, raised_at=None)])
    assert shadowing.end_shadow(world.context) == (version.id, "promote")


def test_what_came_with_a_pipeline_fault_is_not_among_the_live_pictures(world: World) -> None:
    version = challenger(world)

    def judged() -> int:
        (shadow,) = snapshot(sources_of(world.settings, world.store), "ready", world.clock.now()).shadows
        return shadow.samples

    pairs = zip(KNOWN, SOURCES, strict=False)
    world.inbox.put([one for name, camera in pairs for one in disguised(name, camera, range(30))])
    world.cycle()
    fault = alarm(world, "pipeline_fault")
    assert fault is not None and fault.raised_at is not None
    assert len(world.store.samples.scored_rows(version.id, "raw")) == 90 and judged() == 0
    world.inbox.put(candidate(name, 1000 + i) for i in range(60) for name in KNOWN)
    world.until_idle()
    fault = alarm(world, "pipeline_fault")
    assert fault is not None and fault.raised_at is None
    verdict: Any = world.store.registry.version(version.id).verdict
    assert verdict["decision"] == "promote"
    seen = [check["n"] for check in verdict["checks"] if check["subject"] == ["family", KNOWN[0]]]
    assert set(seen) == {60 + 60}, "the gate asks of none of them either"
    assert in_force(world) == version.id
    assert_whole(world)


def test_no_other_challenger_is_made_for_its_family_meanwhile(world: World) -> None:
    world.inbox.put(candidate(NEW, 3000 + i) for i in range(20))
    world.until_idle()
    assert len(world.store.registry.versions()) == 2


def test_when_another_champion_is_in_force_by_then_it_is_held(world: World) -> None:
    version = challenger(world)
    (first,) = [one for one in world.store.registry.versions() if one.id == version.parent]
    promote_by_hand(world.context, version.id, "ada", "cannot wait")
    assert in_force(world) == version.id
    promote_by_hand(world.context, first.id, "ada", "back")
    live(world, 1)
    world.until_idle()
    assert not [one for one in world.store.registry.versions() if one.state == "shadow" and one.parent != first.id]
    assert_whole(world)


def test_one_that_holds_forgotten_samples_never_comes_into_force(world: World) -> None:
    version = challenger(world)
    (sample,) = [
        row.sample_id for row in world.store.samples.learned_rows(version.fingerprint) if row.subject.name == NEW
    ][:1]
    with world.store.database.read() as connection:
        query = text("SELECT sha256 FROM sample WHERE id = :id")
        digest = connection.execute(query, {"id": sample}).scalar_one()
    world.store.samples.forget(ForgetTarget("sample", digest), "asked to", "ada", world.clock.now())
    world.cycle()
    after = world.store.registry.version(version.id)
    assert after.state == "held" and after.verdict is not None and "forgotten" in str(after.verdict["reason"])
    assert in_force(world) == version.parent


def test_a_person_ends_it_either_way(world: World) -> None:
    version = challenger(world)
    approve(world.context, version.id, "ada", "seen enough")
    assert in_force(world) == version.id
    assert world.store.registry.audit()[-1].payload["approved"] is True
    world.store.registry.record_verdict(
        world.store.registry.versions()[0].id, "shadow", {"decision": "promote"}, "gate", "a test", world.clock.now()
    )
    reject_by_hand(world.context, world.store.registry.versions()[0].id, "ada", "not this one")
    assert world.store.registry.versions()[0].state == "rejected"


def test_the_commands_say_how_far_it_is(shaded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(shaded, tmp_path / "state")
    configuration = {
        "encoder": {"name": "forensic"},
        "store": {"directory": str(tmp_path / "state")},
        "promotion": {"mode": "shadow", "shadow_samples": 60},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    asked = ["--config", str(tmp_path / "config.yaml")]
    assert run(["models", "show", "challenger", "--json", *asked]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["state"] == "shadow" and (shown["shadow"]["samples"], shown["shadow"]["wanted"]) == (0, 60)
    assert run(["models", "show", "challenger", *asked]) == 0
    assert "0 of 60 live pictures" in capsys.readouterr().out
    assert run(["status", "--json", *asked]) == 0
    assert [one["version"] for one in json.loads(capsys.readouterr().out)["shadows"]] == [shown["id"]]
