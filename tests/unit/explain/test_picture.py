"""A logit taken apart sums to the logit, whatever the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daemon.explain.background import Background, read_background
from daemon.explain.concepts import ConceptSpace
from daemon.explain.contributions import concept_contributions, group_contributions
from daemon.explain.layout import FeatureGroup, Layout
from daemon.explain.making import make_explainer
from daemon.explain.picture import Explainer
from daemon.explain.views import ExplanationView
from daemon.explain.vocabulary import Concept, Vocabulary
from daemon.heads.concept_head import ConceptHead
from daemon.heads.linear_head import LinearHead
from tests.unit.explain.world import DIMENSION, GROUPS, Samples, World, in_group, with_known

D, E, M = 24, 10, 4


def concepts(count: int = M) -> tuple[Concept, ...]:
    return tuple(Concept(f"c{i}", f"plus {i}", f"minus {i}", f"p{i}", f"n{i}") for i in range(count))


def space(random: np.random.Generator, d: int = D) -> ConceptSpace:
    directions = random.normal(size=(M, E))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return ConceptSpace(concepts(), directions, random.normal(size=(d, E)), slice(0, d))


def background(random: np.random.Generator, d: int = D) -> Background:
    rows = random.normal(size=(200, d)) + 1.0
    return Background(rows[:50].mean(axis=0), rows, 2, 50)


def total(view: ExplanationView) -> float:
    return view.baseline + sum(one.value for one in view.contributions) + view.remainder


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_group_contributions_sum_to_the_difference_of_the_logits_at_picture_and_reference() -> None:
    world = with_known()
    champion = world.champion()
    explainer = make_explainer(world.context(), champion)
    head, reference = champion.artifact.head, explainer.background.reference
    assert np.isclose(reference, 0.0, atol=0.2).all()
    at_reference = float(head.scores(reference[None, :])[0])
    for row in world.all_rows("raw").vectors[[0, 500, 1210, 1300]]:
        view = explainer.explain(row.astype(np.float32))
        logit = float(head.scores(row[None, :])[0])
        assert view.baseline == pytest.approx(at_reference, abs=1e-9)
        assert total(view) == pytest.approx(logit, abs=1e-9)
        assert abs(view.remainder) < 0.02 * abs(logit - at_reference)  # of the average over the way
        assert {one.kind for one in view.contributions} == {"features"}
        assert {one.name for one in view.contributions} == set(GROUPS)


def test_of_a_head_of_one_direction_nothing_is_left(random: np.random.Generator) -> None:
    head = LinearHead.probe(random.normal(size=D), 0.3)
    groups = (FeatureGroup("a", slice(0, 10)), FeatureGroup("b", slice(10, D)))
    back, vector = background(random), random.normal(size=D).astype(np.float16)
    view = Explainer(head, Layout(groups, None), back, None, None).explain(vector.astype(np.float32))
    weights, offset = head.local_direction(vector)
    rounded = back.reference.astype(np.float16).astype(np.float64)  # as the head scores it
    assert view.baseline == pytest.approx(weights @ rounded + offset, abs=1e-12)
    named = {one.name: one.value for one in view.contributions}
    moved = weights * (vector.astype(np.float64) - rounded)
    assert named == pytest.approx({"a": moved[:10].sum(), "b": moved[10:].sum()}, abs=1e-9)
    assert view.remainder == pytest.approx(0.0, abs=1e-9)


def test_the_group_that_makes_a_picture_synthetic_comes_first() -> None:
    world = with_known()
    explainer = make_explainer(world.context(), world.champion())
    fake = world.all_rows("raw").vectors[1210].astype(np.float32)  # of a family that differs in the colours
    first = explainer.explain(fake).contributions[0]
    assert (first.name, first.label) == ("colours", "colour statistics")
    assert first.value > 0


def test_the_reference_is_the_mean_of_the_real_sources_whatever_their_sizes() -> None:
    world = World(1)
    from daemon.model import Subject

    world.add(Subject("source", "many"), np.zeros(DIMENSION), 100)
    world.add(Subject("source", "few"), np.full(DIMENSION, 10.0), 10)
    world.add(Subject("family", "fake"), in_group("grids", 50.0, world.random), 10)
    found = read_background(Samples(world), "f", DIMENSION)  # type: ignore[arg-type]
    assert found.reference == pytest.approx(5.0, abs=0.8)
    assert found.words == "the mean of 2 real sources (110 pictures)"
    empty = read_background(Samples(world, frozenset(world.all_rows("raw").subjects)), "f", DIMENSION)  # type: ignore[arg-type]
    assert not empty.reference.any()
    assert "no real pictures" in empty.words


def test_a_linear_head_on_clip_is_described_by_concepts_and_a_rest(random: np.random.Generator) -> None:
    head = LinearHead.probe(random.normal(size=D), 0.3)
    explainer = Explainer(head, Layout((), slice(0, D)), background(random), space(random), None)
    vector = random.normal(size=D).astype(np.float32)
    view = explainer.explain(vector)
    assert total(view) == pytest.approx(float(head.scores(vector[None, :])[0]), abs=1e-9)
    assert view.explained is not None and 0.0 < view.explained < 0.9
    assert "describe its direction, they are not its parts" in view.notes[0]


def test_a_head_that_is_a_sum_of_concepts_is_found_to_be_that_sum(random: np.random.Generator) -> None:
    known = space(random)
    weights = known.pooled_directions() @ np.array([2.0, 0.0, -1.0, 0.0])
    vector, back = random.normal(size=D), background(random)
    found = concept_contributions(weights, vector, back.reference, known, back.rows)
    expected = np.array([2.0, 0.0, -1.0, 0.0]) * ((vector - back.reference) @ known.pooled_directions())
    assert found.explained > 0.99
    assert found.contributions == pytest.approx(expected, rel=0.1, abs=0.5)  # the ridge takes a little


def test_a_head_that_looks_past_all_concepts_is_said_to(random: np.random.Generator) -> None:
    known, back = space(random), background(random)
    centred = back.rows - back.rows.mean(axis=0)
    seen = centred @ known.pooled_directions()
    blind = np.linalg.svd(seen.T @ centred)[2][-1]  # a direction uncorrelated with every concept
    head = LinearHead.probe(blind, 0.0)
    view = Explainer(head, Layout((), slice(0, D)), back, known, None).explain(np.ones(D, np.float32))
    assert view.explained == pytest.approx(0.0, abs=1e-6)
    assert "follow only 0% of it" in view.notes[1]


def test_without_pictures_in_the_store_the_decomposition_is_exact_all_the_same(random: np.random.Generator) -> None:
    back = Background(np.zeros(D), np.zeros((0, D)), 0, 0)
    head = LinearHead.probe(random.normal(size=D), 0.3)
    view = Explainer(head, Layout((), slice(0, D)), back, space(random), None).explain(np.ones(D, np.float32))
    assert total(view) == pytest.approx(float(head.scores(np.ones((1, D)))[0]), abs=1e-9)


def test_groups_beside_a_clip_part_both_count(random: np.random.Generator) -> None:
    head = LinearHead.probe(random.normal(size=D + 6), 0.3)
    layout = Layout((FeatureGroup("a", slice(D, D + 2)), FeatureGroup("b", slice(D + 2, D + 6))), slice(0, D))
    vector = random.normal(size=D + 6).astype(np.float32)
    back = background(random, D + 6)
    view = Explainer(head, layout, back, space(random), None).explain(vector)
    assert {one.kind for one in view.contributions} == {"features", "concept"}
    assert total(view) == pytest.approx(float(head.scores(vector[None, :])[0]), abs=1e-9)
    both = group_contributions(head.weights[0], vector.astype(np.float64), back.reference, layout.groups)
    named = {one.name: one.value for one in view.contributions if one.kind == "features"}
    assert named == pytest.approx({"a": both[0], "b": both[1]}, rel=0.05)  # the view rounds to float16


def concept_head(random: np.random.Generator, names: tuple[str, ...]) -> ConceptHead:
    known = space(random)
    return ConceptHead(
        known.projection,
        known.directions,
        random.normal(size=(M, E)) * 3,
        random.normal(size=M),
        random.normal(size=M) * 5,
        np.array([0.4]),
        names,
    )


def test_a_concept_model_is_the_sum_of_weight_times_gate_times_cosine(random: np.random.Generator) -> None:
    head = concept_head(random, tuple(c.name for c in concepts()))
    explainer = Explainer(head, Layout((), slice(0, D)), background(random), None, Vocabulary(concepts()))
    vector = random.normal(size=D).astype(np.float16).astype(np.float32)
    view = explainer.explain(vector)
    assert (view.method, view.baseline, view.remainder) == ("concept_model", 0.4, 0.0)
    assert total(view) == pytest.approx(float(head.scores(vector[None, :])[0]), abs=1e-12)
    weights = dict(zip(head.concepts, head.weights, strict=True))
    for one in view.contributions:
        assert one.gate is not None and one.cosine is not None
        assert 0.0 <= one.gate <= 1.0
        assert one.value == pytest.approx(weights[one.name] * one.gate * one.cosine)
        assert one.towards == f"{'plus' if one.cosine >= 0 else 'minus'} {one.name[1:]}"
    assert [abs(one.value) for one in view.contributions] == sorted(abs(o.value) for o in view.contributions)[::-1]


def test_a_concept_model_without_names_takes_them_from_a_vocabulary_of_its_size_and_says_so(
    random: np.random.Generator,
) -> None:
    head = concept_head(random, ())
    made = Explainer(head, Layout((), slice(0, D)), background(random), None, Vocabulary(concepts()))
    view = made.explain(np.ones(D, np.float32))
    assert {one.name for one in view.contributions} == {"c0", "c1", "c2", "c3"}
    assert "line by line" in view.notes[0]
    other = replace(made, vocabulary=Vocabulary(concepts(3))).explain(np.ones(D, np.float32))
    assert {one.name for one in other.contributions} == {"concept_1", "concept_2", "concept_3", "concept_4"}
    assert "set explain.vocabulary to its 4 pairs" in other.notes[0]
