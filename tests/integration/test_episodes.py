"""`sidwatch episodes`: what people do about an episode, alone with the state and beside a service."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from daemon.cli import run
from daemon.corrections.model import Relabel
from daemon.drift.restart import begun_anew
from daemon.drift.subject_test import SubjectTest
from daemon.learn.settling import holds_floors, settle
from daemon.model import Episode, LabelledSamples, LabelledVectors, Profile, Subject, TestState
from daemon.promote.deciding import roll_back
from daemon.settings import AlarmSettings, LearnSettings
from daemon.telemetry import Telemetry
from store.lock import StateLock
from store.state import Store, open_store
from tests.integration.test_alarms import kinds, status
from tests.integration.test_story import assert_whole
from tests.integration.world import CENTRES, KNOWN, NEW, SOURCES, START, World, candidate

FAMILY = Subject("family", NEW)


def world_at(root: Path, *, learns: bool = False) -> World:
    """Alarmed about the newcomer; it is not learned unless so wanted."""
    world = World.settled(root)
    if not learns:
        settings = world.context.settings.model_copy(update={"learn": LearnSettings(automatic=False)})
        world.context = replace(world.context, settings=settings)
    world.inbox.put(candidate(NEW, i) for i in range(20))
    world.until_idle()
    return world


@pytest.fixture(scope="module")
def alarmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = world_at(tmp_path_factory.mktemp("alarmed") / "state")
    world.store.close()
    return world.root


@pytest.fixture
def folder(alarmed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(alarmed, tmp_path / "state")
    configuration = {
        "encoder": {"name": "forensic"},
        "store": {"directory": str(tmp_path / "state")},
        "clock": {"kind": "simulated", "start": "2030-03-01T00:00:00Z"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run(["episodes", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def reopened(folder: Path) -> Store:
    return open_store(folder / "state", read_only=True)


def close(world: World, reason: str = "x") -> TestState | None:
    (episode,) = world.store.samples.episodes(open_only=True)
    restarted = begun_anew(world.context, NEW)
    assert episode.id is not None
    world.store.samples.close_episode(episode.id, restarted, "ada", reason, world.clock.now())
    return restarted


# --- the commands -----------------------------------------------------------------------------------------


def test_list_show_ack_and_snooze(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (listed,) = asked(capsys, "list")
    assert (listed["family"], listed["state"], listed["handling"]) == (NEW, "alarmed", "open")
    assert asked(capsys, "ack", NEW, "--reason", "ticket 7")["episode"] == listed["id"]
    assert asked(capsys, "snooze", str(listed["id"]), "--for", "3d")["state"] == "alarmed"
    shown = asked(capsys, "show", NEW)
    episode = shown["episode"]
    assert episode["handling"] == "snoozed" and episode["acknowledged_by"]
    assert datetime.fromisoformat(episode["snoozed_until"]) == datetime(2030, 3, 4, tzinfo=UTC)
    whats = [entry["what"] for entry in shown["timeline"]]
    assert whats == ["opened", "alarmed", "state", "acknowledged", "snoozed"]
    (test,) = shown["tests"]
    assert test["log10_evidence"] >= test["log10_alarm"] and test["alarmed_at"]
    with reopened(folder) as store:
        rows = [row for row in store.registry.audit() if row.action.startswith("episode_")]
        assert [(row.action, row.reason) for row in rows] == [("episode_ack", "ticket 7"), ("episode_snooze", "")]
        assert all(row.actor for row in rows)
    assert run(["verify", "--deep"]) == 0
    assert run(["episodes", "show", NEW]) == 0
    assert "acknowledged by" in capsys.readouterr().out


def test_close_works_beside_a_service_and_asks_it_for_a_cycle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StateLock(folder / "state", datetime.now(UTC)):
        assert asked(capsys, "close", NEW, "--reason", "mislabelled")["state"] == "closed"
        with reopened(folder) as store:
            assert "cycle" in {one.job for one in store.runs.latest() if one.state == "waiting"}
    assert asked(capsys, "list") == []
    (closed,) = asked(capsys, "list", "--all")
    assert (closed["state"], closed["note"]) == ("closed", "mislabelled")
    capsys.readouterr()
    assert run(["families", "show", NEW, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "detected"
    assert asked(capsys, "show", NEW)["tests"][0]["restarts"] == 1
    assert run(["verify", "--deep"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ack", "nobody"], 65, "there is no episode 'nobody'"),
        (["snooze", NEW, "--for", "soon"], 2, "a duration such as"),
        (["snooze", NEW, "--for", "0s"], 65, "needs a length"),
        (["snooze", NEW, "--for", "366d"], 65, "a year at most"),
        (["snooze", NEW, "--for", "99999999d"], 65, "a year at most"),
        (["close", NEW], 2, "--reason"),
        (["close", NEW, "--reason", " "], 2, "say why"),
        (["close", NEW, "--reason", "\u200b"], 2, "say why"),
        (["ack", NEW, "--reason", "x" * 2001], 2, "at most 2000"),
        (["ack", NEW, "--reason", "x\udcff"], 65, "no UTF-8 text"),
    ],
)
def test_what_it_does_not_do(
    arguments: list[str], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["episodes", *arguments]) == code
    assert message in " ".join(capsys.readouterr().err.split())
    with reopened(folder) as store:
        assert [row.action for row in store.registry.audit()] == ["promote"]


def test_what_people_say_does_not_steer_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(capsys, "ack", NEW, "--reason", "on \x1b[2J it")
    assert run(["episodes", "show", NEW]) == 0
    shown = capsys.readouterr().out
    assert "on \\x1b[2J it" in shown
    assert all(sign.isprintable() or sign == "\n" for sign in shown)


# --- what closing does to the alarm -----------------------------------------------------------------------


def test_after_closing_only_later_pictures_count_and_they_alarm_anew(tmp_path: Path) -> None:
    world = world_at(tmp_path / "state")
    before = status(world)
    assert before.alarm_budget is not None
    restarted = close(world)
    assert restarted is not None
    after = status(world)
    assert after.alarm_budget is not None
    level = SubjectTest.from_dict(restarted.state).test.alpha
    assert after.alarm_budget.new_tests == before.alarm_budget.new_tests + 1
    assert after.alarm_budget.new_spent == pytest.approx(before.alarm_budget.new_spent + level)
    world.until_idle()
    assert kinds(world) == ["family_evades", "episode_closed"]
    assert [f.state for f in status(world).families if f.name == NEW] == ["detected"]
    world.inbox.put(candidate(NEW, i) for i in range(20, 23))
    world.until_idle()
    assert len(world.store.samples.episodes()) == 1, "three pictures prove nothing"
    world.inbox.put(candidate(NEW, i) for i in range(23, 50))
    world.until_idle()
    assert [episode.state for episode in world.store.samples.episodes()] == ["closed", "alarmed"]
    second = world.store.samples.episodes()[1]
    assert 3 < second.samples_to_alarm <= 30
    assert second.opened_at > world.store.samples.episodes()[0].alarmed_at
    assert kinds(world) == ["family_evades", "episode_closed", "family_evades"]
    assert_whole(world)


def test_a_correction_does_not_bring_back_the_votes_that_a_person_ended(tmp_path: Path) -> None:
    world = world_at(tmp_path / "state")
    close(world)
    champion = world.store.registry.champion()
    assert champion is not None
    (before,) = [one for one in world.store.samples.test_states(champion.id) if one.subject == FAMILY]
    picture = sha256(candidate(NEW, 0).content).hexdigest()
    world.store.samples.relabel([picture], Relabel("synthetic", KNOWN[0]), "one wrong", "ada", world.clock.now())
    world.until_idle()
    (after,) = [one for one in world.store.samples.test_states(champion.id) if one.subject == FAMILY]
    assert (after.votes, after.alarmed_at, after.restarts, after.state) == (0, None, before.restarts, before.state)
    assert [episode.state for episode in world.store.samples.episodes()] == ["closed"]


def test_a_restart_leaves_no_trace_in_the_tests_bits(tmp_path: Path) -> None:
    plain, other = world_at(tmp_path / "plain"), world_at(tmp_path / "other")
    for world in (plain, other):
        close(world)
        if world is other:
            world.store.close()
            world.open()
            settings = world.context.settings.model_copy(update={"learn": LearnSettings(automatic=False)})
            world.context = replace(world.context, settings=settings)
        world.inbox.put(candidate(NEW, i) for i in range(20, 24))
        world.cycle()
    champion = plain.store.registry.champion()
    assert champion is not None
    assert plain.store.samples.test_states(champion.id) == other.store.samples.test_states(champion.id)


def test_a_family_whose_alarm_was_ended_must_earn_being_known(tmp_path: Path) -> None:
    world = world_at(tmp_path / "state")
    close(world)
    disguised = [candidate(NEW, i, content=f"old_gan:{NEW}-{i}".encode()) for i in range(100, 190)]
    world.inbox.put(disguised)
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None

    def stage() -> str:
        (state,) = [s for s in world.store.samples.test_states(champion.id) if s.subject == FAMILY]
        return SubjectTest.from_dict(state.state).stage

    assert stage() == "new"
    world.inbox.put(candidate(NEW, i, content=f"old_gan:{NEW}-{i}".encode()) for i in range(190, 210))
    world.until_idle()
    world.inbox.put(candidate(NEW, i, content=f"old_gan:{NEW}-{i}".encode()) for i in range(210, 212))
    world.until_idle()
    assert stage() == "known"


def test_a_version_that_comes_back_and_is_evaded_has_an_open_episode_again(tmp_path: Path) -> None:
    world = world_at(tmp_path / "state", learns=True)
    assert [episode.state for episode in world.store.samples.episodes()] == ["learned"]
    assert close(world) is None  # the champion has learned it: its own test has nothing against the family
    roll_back(world.context, "ada", "a test")
    world.until_idle()
    closed, opened = world.store.samples.episodes()[:2]
    first = world.store.registry.versions()[0].id
    assert (closed.state, opened.family, opened.champion) == ("closed", NEW, first)
    assert "champion again" in opened.note
    assert_whole(world)


# --- a family that a later champion detects though it was made for another -----------------------------------


@pytest.fixture(scope="module")
def detected_by_another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newcomer alarms with too few pictures to learn it from; the next champion is made for a second family."""
    world = World.settled(tmp_path_factory.mktemp("detected") / "state")
    world.inbox.put(candidate(NEW, i) for i in range(9))
    world.until_idle()
    world.inbox.put(candidate("second_new", i) for i in range(40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CENTRES, "second_new", (10, 8.0))
        world.until_idle()
    world.store.close()
    return world.root


@pytest.fixture
def after_another(detected_by_another: Path, tmp_path: Path) -> World:
    shutil.copytree(detected_by_another, tmp_path / "state")
    world = World(tmp_path / "state")
    world.inbox.batches += [[], [], []]  # what the state has taken in already
    world.clock.catch_up(START + timedelta(days=30))
    return world


def of_newcomer(world: World) -> Episode:
    (episode,) = [episode for episode in world.store.samples.episodes() if episode.family == NEW]
    return episode


def test_what_a_later_champion_detects_has_recovered_whatever_it_was_made_for(after_another: World) -> None:
    world = after_another
    first, second = world.store.registry.versions()
    assert (of_newcomer(world).state, of_newcomer(world).champion) == ("alarmed", first.id)
    assert second.verdict is not None and second.verdict["learned"] == [["family", "second_new"]]
    world.inbox.put(candidate(NEW, i) for i in range(100, 112))
    world.until_idle()
    episode = of_newcomer(world)
    assert (episode.state, episode.version, episode.samples_after) == ("recovered", second.id, 12)
    promoted = [row.at for row in world.store.registry.audit() if row.version == second.id and row.action == "promote"]
    assert [episode.learned_at] == promoted and episode.recovered_at is not None
    assert episode.alarmed_at < promoted[0] < episode.recovered_at
    assert len(world.store.registry.versions()) == 2, "nothing more had to be learned"
    assert [view.state for view in status(world).families if view.name == NEW] == ["detected"]
    assert kinds(world).count("family_recovered") == 1
    settle(world.context)
    assert of_newcomer(world) == episode and world.cycle().idle
    assert_whole(world)


def test_a_rollback_to_the_champion_that_a_family_evaded_is_no_recovery(after_another: World) -> None:
    world = after_another
    world.context = replace(
        world.context, settings=world.settings.model_copy(update={"learn": LearnSettings(automatic=False)})
    )
    first, second = world.store.registry.versions()
    world.inbox.put(candidate(NEW, i) for i in range(100, 112))
    world.until_idle()
    assert of_newcomer(world).version == second.id
    roll_back(world.context, "ada", "a test")
    world.inbox.put(candidate(NEW, i) for i in range(200, 220))
    world.until_idle()
    episode = of_newcomer(world)
    assert (episode.state, episode.champion, episode.version) == ("alarmed", first.id, None)


def test_what_a_later_champion_does_not_detect_evades_on(after_another: World) -> None:
    world = after_another
    world.context = replace(
        world.context, settings=world.settings.model_copy(update={"learn": LearnSettings(automatic=False)})
    )
    like_photographs = [candidate(NEW, i, content=f"{SOURCES[0]}:{NEW}-{i}".encode()) for i in range(100, 112)]
    world.inbox.put(like_photographs)
    world.until_idle()
    assert of_newcomer(world).state == "alarmed"


def test_a_well_ranked_family_below_the_threshold_does_not_hold_the_floors() -> None:
    real, fake = np.arange(20.0), np.arange(18.0, 28.0)
    alarms = AlarmSettings(auroc_floor=0.9, recall_floor=0.5)
    assert holds_floors(real, fake, 20.0, alarms)
    assert not holds_floors(real, fake, 26.0, alarms), "most of it is not called synthetic"
    assert holds_floors(real, fake, np.inf, alarms), "nothing is, whatever it shows"
    assert not holds_floors(real, fake - 18.0, -1.0, alarms), "it is ranked below the photographs"


# --- what waiting for a recovery costs ------------------------------------------------------------------------


def with_recovery_that_never_comes(world: World) -> None:
    settings = world.settings
    recovery = settings.recovery.model_copy(update={"ap": 0.9999})
    evaluate = settings.evaluate.model_copy(update={"last_per_subject": 50})
    world.settings = settings.model_copy(update={"recovery": recovery, "evaluate": evaluate})
    world.context = replace(world.context, settings=world.settings)


def test_waiting_for_a_recovery_reads_the_newest_pictures_and_only_when_something_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.settled(tmp_path / "state")
    with_recovery_that_never_comes(world)
    world.inbox.put(candidate(NEW, i) for i in range(40))
    world.until_idle()
    # Three of the later ones look like photographs, so that no champion ranks all of them well.
    world.inbox.put(candidate(NEW, i) for i in range(100, 112))
    world.inbox.put(candidate(NEW, i, content=f"{SOURCES[0]}:{NEW}-{i}".encode()) for i in range(200, 203))
    world.until_idle()
    episode = of_newcomer(world)
    assert episode.state == "learned" and episode.samples_after == 15 and episode.ap_after is not None
    read: list[int] = []
    real = type(world.store.samples).with_vectors

    def counting(self: Any, fingerprint: str, profile: Profile, samples: LabelledSamples) -> LabelledVectors:
        read.append(len(samples))
        return real(self, fingerprint, profile, samples)

    monkeypatch.setattr(type(world.store.samples), "with_vectors", counting)
    settle(world.context)
    assert read == [], "nothing came"
    world.store.close()
    world.open()
    settle(world.context)
    settle(world.context)
    assert read == [50 * len(SOURCES) + 15], "a fresh process reads once, the newest of every camera"
    assert of_newcomer(world) == episode, "and finds the same"
    world.inbox.put([candidate(NEW, 300)])
    world.until_idle()
    read.clear()
    settle(world.context)
    assert read == [] and of_newcomer(world).samples_after == 16


# --- who is told ------------------------------------------------------------------------------------------


def test_a_snoozed_family_is_quiet_until_the_snooze_is_over(tmp_path: Path) -> None:
    world = world_at(tmp_path / "state")
    (episode,) = world.store.samples.episodes()
    assert episode.id is not None
    told = len(world.told)
    world.store.samples.snooze_episode(
        episode.id, world.clock.now() + timedelta(days=2, hours=1), "ada", "", world.clock.now()
    )
    telemetry = Telemetry("1")
    telemetry.publish(status(world))
    labels = {"family": NEW, "handling": "snoozed"}
    assert telemetry.registry.get_sample_value("sidwatch_family_episode", labels) == 1
    # as good as any picture of the other families: what was inverted is evading, which is no news now
    world.inbox.put(candidate(NEW, i, content=f"old_gan:{NEW}-{i}".encode()) for i in range(100, 130))
    world.cycle()
    changed = [e for e in world.store.samples.events(10) if e.kind == "family_state_changed"]
    assert changed[0].data["after"] == "evading" and world.told[told:] == []
    assert world.store.samples.unsent_events() == []
    for _ in range(3):
        world.cycle()
    assert [event.kind for event in world.told[told:]] == ["episode_snooze_over"]
    telemetry.publish(status(world))
    assert telemetry.registry.get_sample_value("sidwatch_family_episode", labels) == 0
    assert telemetry.registry.get_sample_value("sidwatch_family_state", {"family": NEW, "state": "evading"}) == 1
