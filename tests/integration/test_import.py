"""A published file becomes a version like any other: measured, promoted by hand, followed by the closed form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from daemon.champion import load_version
from daemon.encoders.pool import Encoders
from daemon.encoders.stopped import StoppedEncoder
from daemon.errors import BadInputError
from daemon.evaluate.measuring import measure
from daemon.heads import LinearHead, read
from daemon.learn.importing import Imported, add_version, encoder_of, read_head
from daemon.promote.deciding import promote_by_hand
from daemon.settings import Settings
from daemon.supervisor import run_update
from tests.integration.test_story import assert_whole
from tests.integration.world import CENTRES, DIMENSION, FINGERPRINT, KNOWN, SOURCES, World, centre_of

HEAD = "model.classification_head.fc"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """A probe that looks along the known families' centres."""
    weights = np.sum([centre_of(name) for name in KNOWN if name in CENTRES], axis=0)
    state = {f"{HEAD}.weight": torch.from_numpy(weights).float()[None], f"{HEAD}.bias": torch.tensor([-20.0])}
    path = tmp_path_factory.mktemp("published") / "probe.ckpt"
    torch.save({"state_dict": state, "model_type": "linear"}, path)
    return read_head(path, Settings())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.settled(tmp_path / "state")


def test_it_is_a_challenger_with_a_threshold_from_photographs_it_has_not_learned(
    world: World, imported: Imported
) -> None:
    fingerprint = encoder_of(imported, world.context, None)
    assert fingerprint == FINGERPRINT
    record = add_version(imported, world.context, fingerprint)
    assert (record.state, record.learner, record.parent, record.statistics_revision) == (
        "challenger",
        "import",
        None,
        0,
    )
    artifact = read(*world.store.registry.artifact(record.id))
    assert isinstance(artifact.head, LinearHead) and artifact.fold_heads == ()
    assert artifact.about["source"] == {"file": "probe.ckpt", "sha256": imported.sha256, "model_type": "linear"}
    for profile in ("raw", "laundered"):
        threshold = artifact.thresholds[profile]
        assert (threshold.method, set(threshold.left_out)) == ("left_out_source", set(SOURCES))
        assert np.mean(list(threshold.left_out.values())) <= 0.05
    assert artifact.calibration.method == "platt"
    assert add_version(imported, world.context, fingerprint).id == record.id
    assert_whole(world)


def test_it_is_measured_promoted_and_followed(world: World, imported: Imported) -> None:
    record = add_version(imported, world.context, FINGERPRINT)
    loaded = load_version(world.store.registry, record)
    rows = measure(world.context, loaded)
    aps = {row.subject.name: row.ap for row in rows if row.subject.kind == "family" and row.profile == "raw"}
    assert set(aps) == set(KNOWN) and all(ap is not None and ap > 0.95 for ap in aps.values())
    assert {row.n for row in rows if row.window == "held_out"} == {60}  # nothing was learned: every row counts
    promote_by_hand(world.context, record.id, "tester", "published")
    world.until_idle()
    champion = world.context.champion.get()
    assert champion is not None and champion.record.id == record.id and champion.known == frozenset()
    assert world.store.samples.latest_evaluations(record.id)
    assert_whole(world)
    outcome = run_update(world.context)
    assert outcome.version is not None and outcome.decision in ("promote", "hold", "reject")


def test_without_photographs_nothing_is_called_synthetic_and_that_is_said(tmp_path: Path, imported: Imported) -> None:
    world = World(tmp_path / "empty")
    world.context = replace(world.context, encoders=Encoders(StoppedEncoder("")))
    assert encoder_of(imported, world.context, None) == ""  # the configured encoder is asked then
    record = add_version(imported, world.context, "a" * 64)
    artifact = read(*world.store.registry.artifact(record.id))
    for threshold in artifact.thresholds.values():
        assert threshold.value == np.inf and "nothing is called synthetic" in threshold.note
    assert artifact.calibration.method == "none"


def test_the_encoder_may_be_stated_but_its_vectors_must_fit(world: World, imported: Imported) -> None:
    assert encoder_of(imported, world.context, "b" * 64) == "b" * 64
    for wrong in ("b" * 63, "B" * 64, ""):
        with pytest.raises(BadInputError, match="64 digits"):
            encoder_of(imported, world.context, wrong)
    longer = replace(imported, head=LinearHead.probe(np.ones(DIMENSION + 1), 0.0))
    assert encoder_of(longer, world.context, None) == ""
    with pytest.raises(BadInputError, match=rf"takes {DIMENSION + 1} features, the vectors of .* have {DIMENSION}"):
        encoder_of(longer, world.context, FINGERPRINT)
