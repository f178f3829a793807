"""Outside: a picture that is like none of the known groups is told apart from a real one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from daemon.errors import CorruptArtifact
from daemon.heads import HeadSettings, fit_version, fold_heads, read, solve, write
from daemon.heads.outside import LEVEL, outside_limits

SETTINGS = HeadSettings()


@pytest.fixture
def large(world_of):
    return world_of(n=150)


@pytest.fixture
def artifact(large, learn, origin):
    return fit_version(learn(large), large, large, SETTINGS, 0.05, origin)


def unlike(rows, artifact, far: float):
    """Photographs moved along a direction that the units see and no group lies in."""
    head = artifact.head
    away = np.linalg.svd(head.means - head.means.mean(axis=0))[2][-1]
    step = (head.units @ np.linalg.solve(head.units.T @ head.units, away)) / np.where(
        head.inverse_scale > 0, head.inverse_scale, np.inf
    )
    return (rows.vectors[~rows.synthetic].astype(np.float64) + far * step).astype(np.float16)


def test_what_lies_far_from_every_group_is_outside_and_known_pictures_are_not(artifact, large):
    for profile, rows in large.items():
        held = rows.take([i for i, split in enumerate(rows.splits) if split == "holdout"])
        known = [fired.outside for fired in artifact.head.fired(held.vectors, profile)]
        assert np.mean(known) <= 3 * LEVEL
        assert all(fired.outside for fired in artifact.head.fired(unlike(rows, artifact, 60.0), profile))


def test_the_limit_is_the_conformal_quantile_of_held_out_distances(large, learn, artifact, origin):
    rows = large["raw"]
    used = np.array([split in ("train", "calibration") for split in rows.splits])
    distances = []
    for i in np.flatnonzero(used):
        head = artifact.fold_heads[rows.folds[i]] if rows.learned_revision[i] else artifact.head
        z = head.activations(rows.vectors[i : i + 1])[0]
        distances.append(min(float(((z - mean) ** 2).sum()) for mean in head.means))
    m = len(distances)
    assert m > 1000
    assert artifact.head.limits["raw"] == pytest.approx(sorted(distances)[int(np.ceil((m + 1) * 0.99)) - 1], rel=1e-9)


def test_with_too_few_pictures_nobody_can_tell(world, learn, origin):
    few = {profile: rows.take(range(98)) for profile, rows in world.items()}
    artifact = fit_version(learn(world), world, few, SETTINGS, 0.05, origin)
    assert artifact.head.limits == {}
    assert {fired.outside for fired in artifact.head.fired(world["raw"].vectors)} == {None}


def test_pictures_of_groups_that_are_not_modelled_do_not_move_the_limit(large, learn, artifact):
    statistics = learn(large)
    stranger = next(key.subject for key in statistics if key.subject.kind == "source")
    kept = {key: group for key, group in statistics.items() if key.subject != stranger}
    head = solve({key: group.moments() for key, group in kept.items()}, SETTINGS)
    folds = fold_heads(kept, SETTINGS)
    without = {
        profile: rows.take([i for i, subject in enumerate(rows.subjects) if subject != stranger])
        for profile, rows in large.items()
    }
    assert outside_limits(head, folds, large, 1) == outside_limits(head, folds, without, 1)


def test_limits_survive_the_artifact_and_older_versions_have_none(artifact, large):
    tensors, manifest = write(artifact)
    again = read(tensors, manifest)
    assert again.head.limits == artifact.head.limits and set(again.head.limits) == {"raw", "laundered"}
    values = json.loads(manifest)["heads"]["head"]
    del values["limits"]
    before = type(again.head).from_tensors(again.head.to_tensors(), values)
    assert before.limits == {} and before.fired(large["raw"].vectors[:1])[0].outside is None


@pytest.mark.parametrize("limits", [{"raw": -1.0}, {"raw": float("nan")}, {"polished": 3.0}])
def test_a_limit_that_is_none_is_refused(artifact, limits):
    with pytest.raises(CorruptArtifact, match="limit"):
        replace(artifact.head, limits=limits).validate("head")


@pytest.mark.parametrize(
    ("above", "outside", "verdict"),
    [
        (True, True, "synthetic"),  # far from everything, as a new generator is
        (True, False, "synthetic"),
        (True, None, "synthetic"),
        (False, True, "outside"),
        (False, False, "real"),
        (False, None, "real"),
    ],
)
def test_above_the_threshold_is_synthetic_and_below_it_only_what_is_known_is_real(artifact, above, outside, verdict):
    threshold = artifact.thresholds["raw"].value
    assert artifact.verdict(threshold + 1.0 if above else threshold, "raw", outside) == verdict


def test_only_so_many_pictures_of_a_subject_are_measured(large, learn, origin):
    capped = fit_version(learn(large), large, large, SETTINGS, 0.05, origin, cap=30)
    fewer = {
        profile: rows.take(sorted(i for subject in set(rows.subjects) for i in evenly_learnable(rows, subject, 30)))
        for profile, rows in large.items()
    }
    expected = outside_limits(capped.head, capped.fold_heads, fewer, 1)
    assert capped.head.limits == expected != fit_version(learn(large), large, large, SETTINGS, 0.05, origin).head.limits


def evenly_learnable(rows, subject, cap):
    own = [i for i, s in enumerate(rows.subjects) if s == subject and rows.splits[i] in ("train", "calibration")]
    return [own[i * len(own) // cap] for i in range(cap)]
