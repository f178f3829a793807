"""The cycle on the real store, from the first champion to a recovered family; and what must change nothing."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from daemon.app import sources_of
from daemon.cli import app
from daemon.clock import AcceleratedClock
from daemon.cycle import run_cycle
from daemon.errors import BadInputError
from daemon.evaluate.measuring import differing_figures, evaluate
from daemon.heads import read
from daemon.learn.learning import update
from daemon.model import Candidate
from daemon.operations import evaluate_version
from daemon.settings import load
from daemon.status.snapshot import snapshot
from store.splits import DEFAULT_SHARES, split_of
from store.verify import Check, verify
from tests.integration.world import ADAPTER, KNOWN, NEW, SOURCES, World, beginning, candidate


def checks(world: World) -> list[Check]:
    """Every invariant, deeply."""

    def check(tensors: bytes, manifest: bytes) -> None:
        read(tensors, manifest)

    return verify(
        world.store,
        now=world.clock.now(),
        started_at=0.0,
        check_artifact=check,
        recompute=lambda: differing_figures(world.context),
        deep=True,
    )


def assert_whole(world: World) -> None:
    found = checks(world)
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
        "transitions": transitions(world),
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
    kinds = [event.kind for event in told.told if not event.kind.endswith("_state_changed")]
    assert kinds == ["champion_promoted", "family_evades", "champion_promoted", "family_recovered"]
    assert_whole(told)


def transitions(world: World) -> list[tuple[object, object, object]]:
    changed = [event for event in world.store.samples.events(1000) if event.kind.endswith("_state_changed")]
    return [(event.data["subject"], event.data["before"], event.data["after"]) for event in reversed(changed)]


def test_every_change_of_state_is_told_once_with_its_evidence(told: World) -> None:
    assert transitions(told) == [
        (["family", NEW], None, "inverted"),  # the others are new and calm: no news
        (["family", NEW], "inverted", "detected"),
    ]
    inverted, detected = [event for event in told.told if event.kind == "family_state_changed"]
    evidence: Any = inverted.data["evidence"]
    assert evidence["log10_evidence"] >= evidence["log10_alarm"] > 0
    assert evidence["figures"]["raw"]["ap"] < 0.9
    assert inverted.data["alert"] == "GeneratorFamilyInverted"
    assert detected.data["since"] == inverted.at.isoformat()
    assert "inverted -> detected" in detected.text
    states = told.store.samples.subject_states()
    view = snapshot(sources_of(told.context.settings, told.store), "ready", told.clock.now())
    assert {s.name: states[s].state for s in states} == {v.name: v.state for v in [*view.families, *view.real_sources]}


def test_the_champion_is_measured_in_every_window_on_the_pictures_of_that_window(told: World) -> None:
    champion = told.store.registry.champion()
    assert champion is not None
    rows = {(r.subject.name, r.profile, r.window): r for r in told.store.samples.latest_evaluations(champion.id)}
    assert {window for _, _, window in rows} == {
        "held_out", "left_out", "last_200", "last_30d", "prequential", "prequential_last_200", "prequential_last_30d",
    }  # fmt: skip
    newcomer = rows[NEW, "raw", "held_out"]
    assert newcomer.n == 40
    assert rows[NEW, "raw", "prequential"].n == 20  # the first 20 were scored by the version that they evaded
    assert rows[NEW, "raw", "prequential"].ap is not None
    assert replace(rows[NEW, "raw", "last_200"], window="held_out") == newcomer  # there are fewer than 200
    view = snapshot(sources_of(told.context.settings, told.store), "ready", told.clock.now())
    (family,) = (family for family in view.families if family.name == NEW)
    assert family.windows["prequential"]["raw"].n == 20
    shown = {(w.role, w.window, w.profile): w for w in view.windows}
    assert shown["champion", "held_out", "raw"].mean_ap == view.mean_ap["raw"]
    assert shown["champion", "prequential", "raw"].families == 1


def answer(world: World, config: Path, *words: str) -> Any:
    """What a command prints as JSON, on the world's state."""
    config.write_text(f"store: {{directory: {world.root}}}\nencoder: {{name: external}}\n")
    done = CliRunner().invoke(app, [*words, "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_commands_show_one_window_all_of_them_and_what_they_say_together(told: World, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    assert {row["window"] for row in answer(told, config, "evaluate")} == {"held_out", "left_out"}
    (row,) = (r for r in answer(told, config, "evaluate", "--window", "prequential") if r["profile"] == "raw")
    assert (row["name"], row["n"]) == (NEW, 20)
    assert row["ap_lower"] < row["ap"] <= row["ap_upper"]
    summary = answer(told, config, "evaluate", "--window", "all", "--summary")
    assert {"held_out", "last_200", "last_30d", "prequential"} <= {found["window"] for found in summary}
    (held_out,) = (s for s in summary if (s["window"], s["profile"]) == ("held_out", "raw"))
    aps = [r["ap"] for r in answer(told, config, "evaluate") if r["profile"] == "raw" and r["ap"] is not None]
    assert held_out["mean_ap"] == pytest.approx(sum(aps) / len(aps))
    assert held_out["worst_ap"] == min(aps)
    family = answer(told, config, "families", "show", NEW)
    assert family["windows"]["prequential"]["raw"]["n"] == 20
    with pytest.raises(
        BadInputError, match="there is no window 'last_7' with pictures in it; there are: all, held_out"
    ):
        evaluate_version(load(config), None, "last_7")


def test_pictures_that_grow_old_leave_the_sliding_window_without_anything_new(tmp_path: Path) -> None:
    world = World.settled(tmp_path / "state")
    champion = world.store.registry.champion()
    assert champion is not None
    before = {row.window for row in world.store.samples.latest_evaluations(champion.id)}
    world.clock.catch_up(world.clock.now() + timedelta(days=40))
    world.until_idle()
    after = {row.window for row in world.store.samples.latest_evaluations(champion.id)}
    assert before - after == {"last_30d", "prequential_last_30d"}
    assert_whole(world)


def test_figures_follow_the_pictures_also_at_the_same_time_and_when_the_clock_was_put_back(tmp_path: Path) -> None:
    """A simulated clock stands still over a restart, a machine's may be put back."""
    world = World.settled(tmp_path / "state")
    champion = world.store.registry.champion()
    assert champion is not None
    own = world.context.clock
    measured_at = world.store.samples.latest_evaluations(champion.id)[0].at
    for number, now in enumerate((measured_at, measured_at - timedelta(days=1))):
        world.context = replace(world.context, clock=AcceleratedClock(now, timedelta(0)))
        world.inbox.put(candidate(name, 500 + 9 * number + i) for i in range(9) for name in (*SOURCES, *KNOWN))
        run_cycle(world.context, [ADAPTER], may_learn=lambda: False)
        assert differing_figures(world.context) == []
        rows = world.store.samples.latest_evaluations(champion.id)
        assert {row.at for row in rows} == {measured_at}
        held_out = {row.subject.name: row.n for row in rows if (row.window, row.profile) == ("held_out", "raw")}
        counted = Counter(s.name for s in world.store.samples.labelled_samples(champion.fingerprint).subjects)
        assert held_out == counted
    world.context = replace(world.context, clock=own)
    assert_whole(world)


def test_a_challenger_that_the_gate_refused_is_measured_beside_the_champion(tmp_path: Path) -> None:
    world = World.settled(tmp_path / "state")
    champion = world.store.registry.champion()
    assert champion is not None
    world.inbox.put(candidate(NEW, i) for i in range(20))
    run_cycle(world.context, [ADAPTER], may_learn=lambda: False)
    challenge = update(world.context)
    assert challenge is not None
    refused = challenge.version.record
    world.store.registry.record_verdict(refused.id, "rejected", {}, "test", "for the test", world.clock.now())
    evaluate(world.context)
    rows = world.store.samples.latest_evaluations(refused.id)
    assert {row.window for row in rows} == {"held_out", "left_out", "last_200", "last_30d"}  # it never was champion
    view = snapshot(sources_of(world.context.settings, world.store), "ready", world.clock.now())
    (family,) = (family for family in view.families if family.name == NEW)
    challenger, present = family.challenger["raw"].ap, family.profiles["raw"].ap
    assert challenger is not None and present is not None
    assert challenger > present + 0.1
    assert {w.version for w in view.windows if w.role == "challenger"} == {refused.id}


def test_another_cycle_finds_nothing_to_do(told: World) -> None:
    before = outcome(told)
    assert told.cycle().idle
    assert outcome(told) == before


def test_the_same_deliveries_again_change_nothing(tmp_path: Path) -> None:
    world = World.settled(tmp_path / "state")
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
        "save_subject_states",
        "hand_over",
    ),
    "registry": ("add_version", "promote"),
}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.mark.accept
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", [(port, name) for port, names in WRITES.items() for name in names], ids="-".join)
def test_a_process_that_ends_at_a_write_loses_and_doubles_nothing(
    write: tuple[str, str], after: bool, told: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, name = write
    world = World.settled(tmp_path / "state")
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
