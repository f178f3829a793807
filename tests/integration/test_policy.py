"""The policy on the real store: every learner in its turn, then a ticket; and what else asks for a version."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from daemon import cycle
from daemon.app import sources_of
from daemon.context import Context
from daemon.corrections.model import Relabel
from daemon.intake.taking_in import intake
from daemon.learn import automatic
from daemon.learn.learning import Challenge
from daemon.learn.ticketing import watch_tickets
from daemon.model import Alarm, Run
from daemon.promote.judging import judge
from daemon.promote.verdict import Verdict
from daemon.service import Service
from daemon.settings import AttemptSettings, PolicySettings
from daemon.status.snapshot import snapshot
from daemon.supervisor import Supervisor, run_due
from daemon.wiring import make_telemetry
from tests.integration.test_story import assert_whole
from tests.integration.world import NEW, World, candidate


def with_policy(world: World, policy: PolicySettings) -> None:
    """The same world under another policy; few epochs, so that a training is about the path."""
    learn = world.settings.learn
    quick = learn.gradient.model_copy(update={"max_epochs": 3, "learning_rate": 0.02})
    learn = learn.model_copy(update={"policy": policy, "gradient": quick})
    encoder = world.settings.encoder.model_copy(update={"name": "forensic"})
    world.settings = world.settings.model_copy(update={"learn": learn, "encoder": encoder})
    world.context = replace(world.context, settings=world.settings)


LADDER = PolicySettings(
    attempts=(
        AttemptSettings(learner="closed_form"),
        AttemptSettings(learner="linear"),
        AttemptSettings(learner="gradient", min_groups=20, cool_down=timedelta(days=400)),
    )
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.settled(tmp_path / "state")


def refusing(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[str]:
    """A gate that lets nothing pass; the learners that it was asked about come back."""
    asked: list[str] = []

    def careful(context: Context, challenge: Challenge) -> Verdict:
        verdict = judge(context, challenge)
        about = challenge.version.artifact.about["settings"]
        asked.append(str(about.get("read_out", challenge.version.record.learner)))
        return replace(verdict, **({"decision": "hold", "reason": "held by a test", "learned": ()} | changes))

    monkeypatch.setattr(cycle, "judge", careful)
    monkeypatch.setattr("daemon.supervisor.judge", careful)
    return asked


def tickets(world: World) -> list[Alarm]:
    alarms = world.store.samples.alarms()
    return [alarm for alarm in alarms if alarm.kind == "not_learned" and alarm.raised_at is not None]


def test_every_learner_has_its_turn_on_one_amount_of_evidence_and_then_a_ticket_stands(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_policy(world, LADDER)
    asked = refusing(monkeypatch)
    world.inbox.put(candidate(NEW, i) for i in range(40))
    world.until_idle()
    assert asked == ["mixture", "linear", "gradient"]
    (ticket,) = tickets(world)
    assert ticket.about == NEW and "mixture held, linear held, gradient held" in ticket.text
    assert [event.kind for event in world.told].count("not_learned") == 1
    status = snapshot(sources_of(world.settings, world.store), "ready", world.clock.now())
    shown = [alarm for alarm in status.alarms if alarm.kind == "not_learned"]
    assert [(alarm.about, alarm.missing_sources) for alarm in shown] == [(NEW, 0)]
    assert world.cycle().idle and len(asked) == 3, "nothing is tried twice on the same evidence"
    world.store.close()
    world.open()
    with_policy(world, LADDER)
    assert watch_tickets(world.context) == 0, "after a restart the ticket stands as it stood"
    world.inbox.put(candidate(NEW, 100 + i) for i in range(6))
    world.until_idle()
    assert asked == ["mixture", "linear", "gradient", "mixture", "linear"], "the gradient cools down"
    assert tickets(world) == []
    monkeypatch.undo()
    world.inbox.put(candidate(NEW, 200 + i) for i in range(6))
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None and champion.verdict is not None
    assert champion.verdict["learner"] == "mixture" and champion.verdict["learned"] == [["family", NEW]]
    assert_whole(world)


def test_a_family_of_one_known_source_has_a_ticket_that_names_the_second_one(world: World) -> None:
    known = world.settings.adapters[0].model_copy(update={"trust": "known"})
    world.inbox.put(candidate(NEW, i, source="elsewhere") for i in range(40))
    intake(world.context, known)
    world.until_idle()
    (ticket,) = tickets(world)
    assert ticket.text.endswith(f"missing: samples of {NEW} from a second source")
    assert ticket.state["sources"] == 1
    assert [row.action for row in world.store.registry.audit()] == ["promote"], "nothing was tried"


def test_the_running_service_trains_aside_and_a_cycle_never_waits_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_policy(world, LADDER)
    asked = refusing(monkeypatch)
    calls: list[int] = []

    def a_cycle() -> None:
        cycle.run_cycle(world.context, world.settings.adapters, aside=lambda: calls.append(1))

    world.inbox.put(candidate(NEW, i) for i in range(40))
    for _ in range(5):
        a_cycle()
    assert asked == ["mixture", "linear"] and calls, "the training was asked for, and not waited for"
    assert tickets(world) == [], "the last attempt is still to come"
    assert run_due(world.context).decision == "hold"
    assert asked == ["mixture", "linear", "gradient"] and len(tickets(world)) == 1
    assert run_due(world.context).text == "nothing is due"


def test_a_training_that_broke_is_not_asked_for_again_before_it_has_cooled_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_policy(world, LADDER)
    refusing(monkeypatch)
    calls: list[int] = []
    world.inbox.put(candidate(NEW, i) for i in range(40))
    now = world.clock.now()
    broken = Run(1, automatic.JOB, 1, "finished", "timed_out", now, now, now, None, None, "")
    monkeypatch.setattr(type(world.context.runs), "latest", lambda self: [broken])
    for _ in range(5):
        cycle.run_cycle(world.context, world.settings.adapters, aside=lambda: calls.append(1))
    assert calls == []


def test_a_family_that_a_person_named_is_learned_without_waiting_for_its_alarm(world: World) -> None:
    strangers = [candidate(NEW, i, label=None, family=None, source="agency") for i in range(40)]
    world.inbox.put(strangers)
    world.until_idle()
    assert world.store.samples.episodes() == []
    digests = [sha256(one.content or b"").hexdigest() for one in strangers]
    said = Relabel("synthetic", NEW)
    assert world.store.samples.relabel(digests, said, "looked at them", "ada", world.clock.now()) is not None
    assert [name for name, _ in world.store.samples.named_families()] == [NEW]
    report = world.cycle()
    assert report.version is not None
    record = world.store.registry.version(report.version)
    assert record.verdict is not None and record.verdict["trigger_groups"] == {NEW: 40}


def test_what_came_in_is_learned_on_schedule_though_nothing_asks_for_it(world: World) -> None:
    with_policy(world, LADDER.model_copy(update={"every": timedelta(days=30)}))
    world.inbox.put(candidate("old_gan", 1000 + i) for i in range(30))
    world.until_idle()
    before = len(world.store.registry.versions())
    for _ in range(31):
        world.clock.after_cycle()
    report = world.cycle()
    assert report.version is not None and len(world.store.registry.versions()) == before + 1
    for _ in range(31):
        world.clock.after_cycle()
    assert world.cycle().version is None, "nothing came in since"


def test_a_training_that_waits_or_runs_is_not_asked_for_again(world: World) -> None:
    service = Service(world.context, make_telemetry(world.settings), False)
    supervisor = Supervisor(world.context, service, "test:1", threading.Event())
    for _ in range(3):
        supervisor._ask_to_retrain()
    assert world.context.runs.last_tick(automatic.JOB) == 1
    run = world.context.runs.claim(automatic.JOB, "test:1", world.clock.now(), world.clock.now())
    assert run is not None
    supervisor._ask_to_retrain()
    assert world.context.runs.last_tick(automatic.JOB) == 1
    world.context.runs.finish(run.id, "test:1", "ok", "", world.clock.now())
    supervisor._ask_to_retrain()
    assert world.context.runs.last_tick(automatic.JOB) == 2
