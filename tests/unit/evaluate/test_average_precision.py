"""AP against scikit-learn, its invariances and its floor."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from daemon.evaluate import auroc, average_precision, average_precision_floor

# Few distinct values, so that ties inside and across the sides are common.
SCORES = st.lists(st.integers(-8, 8).map(lambda value: value / 4.0), min_size=1, max_size=40)
PREVALENCE = st.floats(0.02, 0.98)


@settings(max_examples=300, deadline=None)
@given(SCORES, SCORES, PREVALENCE)
def test_average_precision_equals_scikit_learn_with_each_side_weighted_to_the_prevalence(
    reals: list[float], fakes: list[float], prevalence: float
) -> None:
    truth = [0] * len(reals) + [1] * len(fakes)
    weights = [(1 - prevalence) / len(reals)] * len(reals) + [prevalence / len(fakes)] * len(fakes)
    expected = average_precision_score(truth, reals + fakes, sample_weight=weights)
    assert average_precision(reals, fakes, prevalence) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES)
def test_auroc_equals_scikit_learn(reals: list[float], fakes: list[float]) -> None:
    truth = [0] * len(reals) + [1] * len(fakes)
    assert auroc(reals, fakes) == pytest.approx(roc_auc_score(truth, reals + fakes), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES, PREVALENCE)
def test_a_monotone_map_of_the_scores_changes_no_bit(reals: list[float], fakes: list[float], prevalence: float) -> None:
    mapped = average_precision(np.exp(reals) * 3 - 7, np.exp(fakes) * 3 - 7, prevalence)
    assert mapped == average_precision(reals, fakes, prevalence)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    PREVALENCE,
)
def test_only_the_ranks_of_the_scores_matter(reals: list[float], fakes: list[float], prevalence: float) -> None:
    _, ranks = np.unique(reals + fakes, return_inverse=True)
    ranked = average_precision(ranks[: len(reals)], ranks[len(reals) :], prevalence)
    assert ranked == average_precision(reals, fakes, prevalence)


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES, PREVALENCE, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_changes_no_bit(
    reals: list[float], fakes: list[float], prevalence: float, random: Random
) -> None:
    before = average_precision(reals, fakes, prevalence)
    random.shuffle(reals)
    random.shuffle(fakes)
    assert average_precision(reals, fakes, prevalence) == before


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), PREVALENCE)
def test_scores_that_all_tie_have_the_prevalence_as_their_average_precision(
    reals: int, fakes: int, prevalence: float
) -> None:
    assert average_precision([1.0] * reals, [1.0] * fakes, prevalence) == pytest.approx(prevalence, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES, PREVALENCE)
def test_average_precision_lies_between_its_floor_and_one(
    reals: list[float], fakes: list[float], prevalence: float
) -> None:
    value = average_precision(reals, fakes, prevalence)
    assert average_precision_floor(prevalence) - 1e-12 <= value <= 1.0


@pytest.mark.parametrize("prevalence", [0.1, 0.5, 0.8])
def test_an_inverted_detector_reaches_the_floor(prevalence: float) -> None:
    value = average_precision(np.ones(3000), np.linspace(-1.0, 0.0, 3000), prevalence)
    assert value == pytest.approx(average_precision_floor(prevalence), abs=2e-3)


def test_the_floor_at_even_prevalence_is_one_less_the_logarithm_of_two() -> None:
    assert average_precision_floor() == pytest.approx(1.0 - math.log(2.0), abs=1e-15)


def test_the_same_scores_read_differently_at_another_prevalence() -> None:
    random = np.random.default_rng(3)
    reals, fakes = random.normal(size=4000), random.normal(2.0, 1.0, 4000)
    assert average_precision(reals, fakes, 0.8) > average_precision(reals, fakes, 0.5) + 0.02
    assert average_precision(reals, fakes, 0.5) > average_precision(reals, fakes, 0.1) + 0.10


@pytest.mark.parametrize(
    ("reals", "fakes", "prevalence", "message"),
    [
        ([], [1.0], 0.5, "real scores must be a non-empty"),
        ([1.0], [], 0.5, "synthetic scores must be a non-empty"),
        ([math.nan], [1.0], 0.5, "a real score is NaN"),
        ([1.0], [math.nan], 0.5, "a synthetic score is NaN"),
        ([1.0], [1.0], 0.0, "prevalence"),
        ([1.0], [1.0], 1.0, "prevalence"),
        ([1.0], [1.0], math.nan, "prevalence"),
    ],
)
def test_input_without_an_answer_is_refused_by_name(
    reals: list[float], fakes: list[float], prevalence: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        average_precision(reals, fakes, prevalence)
