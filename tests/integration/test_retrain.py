"""Challengers by every learner go through the gate that an update goes through."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon.context import Context
from daemon.encoders.pool import Encoders
from daemon.encoders.stopped import StoppedEncoder
from daemon.errors import BadInputError
from daemon.evaluate.measuring import evaluate, measure
from daemon.heads import ClosedFormHead, LinearHead, read
from daemon.intake.taking_in import intake
from daemon.learn.retraining import RETRAININGS, job_of, recipe_of
from daemon.model import Subject
from daemon.promote.deciding import promote_by_hand
from daemon.runs import tick
from daemon.service import Service
from daemon.settings import EncoderSettings, GateSettings, LearnSettings, Settings
from daemon.supervisor import Supervisor, run_update
from daemon.wiring import make_telemetry
from tests.integration.test_story import assert_whole
from tests.integration.world import ADAPTER, FINGERPRINT, KNOWN, SOURCES, World, beginning


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.settled(tmp_path / "state")


def quick(world: World) -> World:
    """Fewer heads and epochs, so that the test is about the path."""
    settings = world.context.settings
    learn = settings.learn.model_copy(
        update={"gradient": settings.learn.gradient.model_copy(update={"max_epochs": 3, "learning_rate": 0.02})}
    )
    changed = {
        "learn": learn,
        "encoder": settings.encoder.model_copy(update={"name": "external"}),
        "store": settings.store.model_copy(update={"directory": world.root}),
    }
    world.context = replace(world.context, settings=settings.model_copy(update=changed))
    return world


@pytest.mark.parametrize("job", sorted(RETRAININGS.keys() - {"retrain_concept"}))  # which needs texts
def test_a_retraining_is_judged_by_the_gate_and_recorded(world: World, job: str) -> None:
    champion = world.store.registry.champion()
    assert champion is not None
    outcome = run_update(quick(world).context, job)
    assert outcome.version is not None and outcome.decision in ("promote", "hold", "reject")
    record = world.store.registry.version(outcome.version)
    assert record.verdict is not None and record.verdict["checks"]
    artifact = read(*world.store.registry.artifact(record.id))
    assert (record.parent, record.learner) == (champion.id, RETRAININGS[job][0])
    assert artifact.about["parent"] == champion.id
    kind = LinearHead if job in ("retrain_gradient", "retrain_probe") else ClosedFormHead
    assert isinstance(artifact.head, kind) and len(artifact.fold_heads) == 5
    assert artifact.thresholds["raw"].method == "left_out_source"
    assert set(artifact.thresholds["raw"].left_out) == set(SOURCES)
    assert artifact.calibration.method == "platt"
    assert "nothing new" in run_update(world.context, job).text  # the same again is the same version


def test_a_probe_measures_well_and_can_be_champion(world: World) -> None:
    outcome = run_update(quick(world).context, "retrain_probe")
    assert outcome.version is not None
    if outcome.decision != "promote":
        promote_by_hand(world.context, outcome.version, "tester", "to see it in force")
    champion = world.context.champion.get()
    assert champion is not None and champion.record.id == outcome.version
    figures = {row.subject.name: row.ap for row in measure(world.context, champion) if row.subject.kind == "family"}
    assert all(figures[name] is not None and figures[name] > 0.9 for name in KNOWN)
    assert champion.known == {*(Subject("family", n) for n in KNOWN), *(Subject("source", n) for n in SOURCES)}
    evaluate(world.context)
    assert {row.window for row in world.store.samples.latest_evaluations(outcome.version)} >= {"held_out", "last_200"}
    manifest = json.loads(world.store.registry.artifact(outcome.version)[1])
    assert manifest["about"]["training"]["converged"] is True
    assert len(manifest["about"]["rows"]["sha256"]) == 64
    # and the closed form takes over again
    assert "nothing new" not in run_update(world.context).text


def test_gradient_tells_its_progress_and_learns_only_the_train_split(world: World) -> None:
    told: list[tuple[str, int, int]] = []
    context = replace(quick(world).context, progress=lambda *step: told.append(step))
    outcome = run_update(context, "retrain_gradient")
    assert outcome.version is not None
    assert {what for what, _, _ in told} == {"training"}
    assert [step[1:] for step in told] == [(1, 3), (2, 3), (3, 3)]  # three epochs, all heads side by side
    artifact = read(*world.store.registry.artifact(outcome.version))
    learned = world.store.samples.labelled_vectors(context.encoder.fingerprint, "raw")
    train = np.array(learned.splits) == "train"
    assert artifact.about["rows"]["n"] == 2 * int(train.sum())


def test_only_so_many_sources_are_left_out(world: World) -> None:
    context = quick(world).context
    learn = context.settings.learn.model_copy(update={"left_out_heads": 5})
    context = replace(context, settings=context.settings.model_copy(update={"learn": learn}))
    outcome = run_update(context, "retrain_probe")
    assert outcome.version is not None
    artifact = read(*world.store.registry.artifact(outcome.version))
    assert len(artifact.thresholds["laundered"].left_out) == 5 < len(SOURCES)


def test_a_running_service_retrains_when_asked(world: World) -> None:
    context = quick(world).context
    stop = threading.Event()
    service = Service(context, make_telemetry(context.settings), simulated=True)
    supervisor = threading.Thread(target=Supervisor(context, service, "tester", stop).run, daemon=True)
    tick(context, "retrain_probe")
    supervisor.start()
    try:
        until = time.monotonic() + 120.0
        while time.monotonic() < until:
            runs = {run.job: run for run in context.runs.latest()}
            if runs["retrain_probe"].state == "finished":
                break
            time.sleep(0.1)
    finally:
        stop.set()
        supervisor.join(60.0)
    done = runs["retrain_probe"]
    assert (done.outcome, "v0002-" in done.detail) == ("ok", True)
    assert [version.learner for version in context.registry.versions()] == ["closed_form", "probe"]


def unlearned(root: Path) -> World:
    """Pictures are embedded, nobody has learned from them yet."""
    settings = Settings(
        adapters=(ADAPTER,),
        encoder=EncoderSettings(name="forensic"),
        learn=LearnSettings(automatic=False),
        gate=GateSettings(replicates=100),
    )
    world = World(root, settings=settings)
    world.inbox.put(beginning())
    world.until_idle()
    assert world.store.registry.champion() is None
    return world


def command(world: World) -> Context:
    """What a command works with: it starts no encoder, and without a champion it knows none."""
    return replace(world.context, encoders=Encoders(StoppedEncoder(""), None, world.start))


@pytest.mark.parametrize("job", ["update", "retrain_linear"])
def test_a_command_makes_the_first_champion_of_the_one_encoder_that_there_are_vectors_of(
    job: str, tmp_path: Path
) -> None:
    world = unlearned(tmp_path / "state")
    outcome = run_update(command(world), job)
    champion = world.store.registry.champion()
    assert champion is not None and champion.id == outcome.version
    assert champion.fingerprint == FINGERPRINT
    assert world.store.samples.latest_evaluations(champion.id)
    world.until_idle()
    assert_whole(world)


def test_without_a_champion_a_command_says_why_it_cannot_learn(tmp_path: Path) -> None:
    world = World(tmp_path / "state", settings=Settings(encoder=EncoderSettings(name="forensic")))
    world.inbox.put(beginning())
    intake(world.context, ADAPTER)
    with pytest.raises(BadInputError, match=r"no picture is embedded yet.*`sidwatch run`"):
        run_update(command(world))
    for number, fingerprint in enumerate(("a" * 64, "b" * 64)):
        vectors = np.zeros((1, 4), np.float16)
        world.store.samples.add_vectors(fingerprint, "raw", [number + 1], vectors)
    with pytest.raises(BadInputError, match="vectors of 2 encoders"):
        run_update(command(world))
    assert world.store.registry.versions() == []


def test_jobs_are_named_by_learner_and_read_out() -> None:
    settings = Settings()
    assert job_of("closed_form", None, settings) == "retrain_mixture"
    assert job_of("closed_form", "linear", settings) == "retrain_linear"
    assert job_of("gradient", None, settings) == "retrain_gradient"
    for learner, read_out in (("gradient", "linear"), ("closed_form", "cubic"), ("boosting", None)):
        with pytest.raises(BadInputError, match=r"read-out|learner"):
            job_of(learner, read_out, settings)


def test_clip_features_are_fed_as_published_and_others_standardised() -> None:
    clip = Settings()
    forensic = clip.model_copy(update={"encoder": clip.encoder.model_copy(update={"name": "forensic"})})
    for learner in ("gradient", "probe"):
        assert recipe_of(clip, learner).standardise is False
        assert recipe_of(forensic, learner).standardise is True
