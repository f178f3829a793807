"""What every head must do, whatever it is made of."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from daemon.errors import BadInputError, CorruptArtifact
from daemon.heads import ConceptHead, Fired, HeadSettings, LinearHead, solve
from daemon.heads.artifact import Anchors, VersionArtifact, read, write
from daemon.heads.calibration import Calibration
from daemon.heads.threshold import Threshold

D = 24
KINDS = ("mixture", "linear read-out", "linear", "probe", "concept")


@pytest.fixture(params=KINDS)
def head(request, world, learn):
    rng = np.random.default_rng(5)
    if request.param == "linear":
        return LinearHead(rng.normal(size=(8, D)), rng.normal(size=8), rng.normal(size=8), rng.normal(size=1))
    if request.param == "probe":
        return LinearHead.probe(rng.normal(size=D), 0.5)
    if request.param == "concept":
        directions = rng.normal(size=(6, 10))
        return ConceptHead(
            rng.normal(size=(D, 10)),
            directions / np.linalg.norm(directions, axis=1, keepdims=True),
            rng.normal(size=(6, 10)),
            rng.normal(size=6),
            rng.normal(size=6),
            rng.normal(size=1),
            tuple("abcdef"),
        )
    moments = {key: group.moments() for key, group in learn(world).items()}
    return solve(moments, HeadSettings(read_out="mixture" if request.param == "mixture" else "linear"))


@pytest.fixture
def vectors(world):
    return world["raw"].vectors


def version_of(head, folds=()) -> VersionArtifact:
    anchors = np.random.default_rng(1).normal(size=(3, head.dimension)).astype(np.float16)
    threshold = {"raw": Threshold(0.0, 0.05, "split_conformal", 0, {})}
    return VersionArtifact(head, folds, threshold, Calibration(), Anchors(anchors, head.scores(anchors)), {"a": 1})


def test_it_gives_one_logit_and_one_row_of_activations_for_each_vector(head, vectors):
    assert head.dimension == D
    scores, activations = head.scores(vectors), head.activations(vectors)
    assert (scores.dtype, scores.shape) == (np.float64, (len(vectors),))
    assert activations.dtype == np.float64 and len(activations) == len(vectors)
    assert len(head.fired(vectors)) == len(vectors)


def test_scores_are_the_same_one_by_one_and_together(head, vectors):
    together = head.scores(vectors[:20])
    assert np.concatenate([head.scores(row[None]) for row in vectors[:20]]) == pytest.approx(together, rel=1e-12)


def test_a_fresh_vector_scores_as_its_stored_form(head, vectors):
    fresh = vectors.astype(np.float64) * (1 + 1e-5)
    assert head.scores(fresh).tobytes() == head.scores(fresh.astype(np.float16)).tobytes()


def test_the_local_direction_gives_the_logit_of_its_vector(head, vectors):
    for row in vectors[::17]:
        weights, offset = head.local_direction(row)
        assert weights.shape == (D,)
        logit = row.astype(np.float64) @ weights + offset
        assert logit == pytest.approx(head.scores(row[None])[0], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("bad", [np.zeros((2, D + 1)), np.zeros(D), np.full((1, D), 1e6), np.full((1, D), np.nan)])
def test_a_vector_that_does_not_fit_is_refused(head, bad):
    for method in (head.scores, head.activations, head.fired):
        with pytest.raises(BadInputError):
            method(bad)


def test_no_vectors_give_no_scores(head):
    assert head.scores(np.zeros((0, D), np.float16)).shape == (0,)


def test_it_survives_the_artifact(head, vectors):
    again = read(*write(version_of(head)))
    assert type(again.head) is type(head)
    assert again.head.scores(vectors).tobytes() == head.scores(vectors).tobytes()
    assert again.head.fired(vectors) == head.fired(vectors)
    assert again.fold_heads == ()
    assert write(again) == write(version_of(head))


def test_what_the_heads_of_a_version_share_is_stored_once():
    rng = np.random.default_rng(5)
    projection = rng.normal(size=(64, 48))

    def concepts() -> ConceptHead:
        directions = np.eye(48)[:4]
        own = (rng.normal(size=(4, 48)), rng.normal(size=4), rng.normal(size=4), rng.normal(size=1))
        return ConceptHead(projection.copy(), directions, *own, tuple("abcd"))

    artifact = version_of(concepts(), tuple(concepts() for _ in range(5)))
    tensors, manifest = write(artifact)
    assert len(tensors) < 2 * projection.nbytes
    again = read(tensors, manifest)
    vectors = rng.normal(size=(7, 64)).astype(np.float16)
    for mine, theirs in zip(again.fold_heads, artifact.fold_heads, strict=True):
        assert mine.scores(vectors).tobytes() == theirs.scores(vectors).tobytes()
    assert write(again) == (tensors, manifest)


def test_fold_heads_are_none_or_all_and_of_the_same_kind(head):
    assert len(read(*write(version_of(head, (head,) * 5))).fold_heads) == 5
    with pytest.raises(CorruptArtifact, match="3 fold heads instead of none or 5"):
        read(*write(version_of(head, (head,) * 3)))
    other = LinearHead.probe(np.ones(D + 1), 0.0)
    with pytest.raises(CorruptArtifact, match="same kind and dimension"):
        read(*write(version_of(head, (head, head, other, head, head))))


def test_a_value_that_is_not_finite_is_refused(head):
    for field in fields(head):
        array = getattr(head, field.name)
        if isinstance(array, np.ndarray):
            broken = array.copy()
            broken.flat[0] = np.nan
            parts = {f.name: getattr(head, f.name) for f in fields(head)} | {field.name: broken}
            with pytest.raises(CorruptArtifact, match=rf"thing.{field.name} holds a value that is not finite"):
                type(head)(**parts).validate("thing")


def test_what_is_no_array_is_json(head):
    assert json.loads(json.dumps(head.to_json())) == head.to_json()


def test_a_gradient_shows_where_the_mixture_would_go(world, learn, vectors):
    head = solve({key: group.moments() for key, group in learn(world).items()}, HeadSettings())
    row = vectors[3].astype(np.float64)
    weights, _ = head.local_direction(row)
    for feature in range(0, D, 5):
        # a step that float16 resolves
        moved = row.copy()
        moved[feature] = np.float16(row[feature] + max(0.02, abs(row[feature]) / 256))
        step = moved[feature] - row[feature]
        change = (head.scores(moved[None]) - head.scores(row[None]))[0] / step
        assert change == pytest.approx(weights[feature], rel=0.2, abs=0.02)


def test_concepts_add_up_to_the_logit_and_are_computed_as_published():
    rng = np.random.default_rng(2)
    projection, directions, gates = rng.normal(size=(4, 3)), np.eye(3)[:2], rng.normal(size=(2, 3))
    head = ConceptHead(
        projection, directions, gates, np.array([0.5, -1.0]), np.array([2.0, -3.0]), np.array([0.25]), ()
    )
    x = np.array([1.0, 2.0, -1.0, 0.5])
    e = x @ projection / np.linalg.norm(x @ projection)
    expected = 0.25
    for concept in range(2):
        gate = 1 / (1 + np.exp(-(gates[concept] @ e + head.gate_biases[concept])))
        expected += head.weights[concept] * gate * (directions[concept] @ e)
    assert head.scores(x[None])[0] == pytest.approx(expected, rel=1e-12)
    assert head.contributions(x[None]).sum() + 0.25 == pytest.approx(expected, rel=1e-12)


def test_heads_without_groups_name_none(vectors):
    head = LinearHead.probe(np.ones(D), 0.0)
    assert head.fired(vectors[:2]) == (Fired(None, None, None),) * 2
    assert head.subjects == frozenset()


def test_a_head_for_standardised_vectors_becomes_one_for_plain_vectors():
    rng = np.random.default_rng(8)
    x = rng.normal(3.0, 2.0, size=(50, D)).astype(np.float16)
    centre, inverse_scale = x.mean(axis=0, dtype=np.float64), 1 / x.std(axis=0, dtype=np.float64)
    inner = LinearHead(rng.normal(size=(3, D)), rng.normal(size=3), rng.normal(size=3), rng.normal(size=1))
    standardised = (x.astype(np.float64) - centre) * inverse_scale
    expected = (standardised @ inner.weights.T + inner.biases) @ inner.read_out + inner.offset[0]
    assert inner.standardised(centre, inverse_scale).scores(x) == pytest.approx(expected, rel=1e-9)
