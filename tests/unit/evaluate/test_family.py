"""Evaluations of families and real sources."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from daemon.evaluate import (
    FamilyEvaluation,
    auroc,
    average_precision,
    evaluate_families,
    evaluate_family,
    evaluate_source,
    mean_average_precision,
    worst_family,
)
from daemon.evaluate.intervals import replicate_average_precision


def scores(seed: int, n: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, n)


def keys(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{k}" for k in range(n)]


def test_an_evaluation_states_the_figures_of_its_own_functions() -> None:
    reals, fakes = scores(1, 500), scores(2, 40, 1.5)
    found = evaluate_family(reals, keys("r", 500), fakes, keys("f", 40), threshold=1.6)
    assert found.ap == average_precision(reals, fakes)
    assert found.auroc == pytest.approx(auroc(reals, fakes), abs=1e-12)
    assert found.recall == np.mean(fakes > 1.6)
    assert (found.n, found.groups, found.m_reals, found.prevalence) == (40, 40, 500, 0.5)
    assert found.ap_lower < found.ap < found.ap_upper
    assert found.auroc_lower < found.auroc < found.auroc_upper
    assert found.recall_lower < found.recall < found.recall_upper


def test_a_family_measures_the_same_whatever_else_is_measured() -> None:
    reals, names = scores(1, 300), keys("r", 300)
    one = (scores(2, 30, 1.0), keys("f", 30))
    two = (scores(3, 50, 1.0), [*keys("r", 20), *keys("f", 30)])
    alone = evaluate_families(reals, names, {"one": one}, 1.6)
    both = evaluate_families(reals, names, {"two": two, "one": one}, 1.6)
    assert alone["one"] == both["one"]


def test_the_order_of_samples_does_not_matter() -> None:
    reals, fakes = scores(1, 200), scores(2, 30, 1.0)
    names, fake_names = np.array(keys("r", 200)), np.array(keys("f", 30))
    forward = evaluate_family(reals, names.tolist(), fakes, fake_names.tolist(), 1.6)
    backward = evaluate_family(reals[::-1], names[::-1].tolist(), fakes[::-1], fake_names[::-1].tolist(), 1.6)
    assert dataclasses.astuple(backward) == pytest.approx(dataclasses.astuple(forward), abs=1e-12)


@pytest.mark.parametrize(("n", "approximate"), [(99, True), (100, False), (300, False)])
def test_an_interval_of_few_fakes_is_marked_approximate(n: int, approximate: bool) -> None:
    found = evaluate_family(scores(1, 200), keys("r", 200), scores(2, n), keys("f", n), 1.0)
    assert found.approximate is approximate


def test_an_interval_of_many_fakes_from_few_prompts_is_marked_approximate() -> None:
    fakes = scores(2, 240)
    found = [
        evaluate_family(scores(1, 200), keys("r", 200), fakes, [f"f{k % groups}" for k in range(240)], 1.0)
        for groups in (24, 25)
    ]
    assert [f.approximate for f in found] == [True, False]


@pytest.mark.parametrize("shift", [1.0, 1.8, 2.5])
def test_from_300_fakes_on_the_interval_is_that_of_the_bootstrap(shift: float) -> None:
    reals, fakes = (scores(1, 1000), keys("g", 1000)), (scores(2, 2000, shift), [f"g{k // 2}" for k in range(2000)])
    found = evaluate_family(*reals, *fakes, 1.6)
    drawn = replicate_average_precision(reals, [fakes], 0.5, 1000, seed=0)[0]
    assert (found.ap_lower, found.ap_upper) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.003)


def test_repeated_prompts_widen_the_intervals() -> None:
    reals, fakes = scores(1, 400), scores(2, 60, 1.2)
    spread = evaluate_family(reals, keys("r", 400), fakes, keys("f", 60), 1.6)
    fakes = np.repeat(fakes[:6], 10)
    bursts = [f"f{k // 10}" for k in range(60)]
    burst = evaluate_family(reals, keys("r", 400), fakes, bursts, 1.6)
    assert burst.groups == 6
    for low, high in (
        ("ap_lower", "ap_upper"),
        ("auroc_lower", "auroc_upper"),
        ("recall_lower", "recall_upper"),
    ):
        assert getattr(burst, high) - getattr(burst, low) > 1.3 * (getattr(spread, high) - getattr(spread, low))


def test_a_threshold_that_nothing_reaches_gives_recall_zero() -> None:
    found = evaluate_family(scores(1, 50), keys("r", 50), scores(2, 20), keys("f", 20), math.inf)
    assert (found.recall, found.recall_lower) == (0.0, 0.0)
    assert found.recall_upper == pytest.approx(1.0 - 0.025 ** (1 / 20), abs=1e-9)


def test_scores_without_their_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="3 synthetic scores came with 2 groups"):
        evaluate_family([0.0, 1.0], ["a", "b"], [1.0, 2.0, 3.0], ["c", "d"], 0.5)


def test_false_positive_rate_of_a_source_with_its_exact_interval() -> None:
    found = evaluate_source([0.0] * 19 + [2.0], threshold=1.0)
    assert (found.false_positive_rate, found.n) == (0.05, 20)
    assert (found.lower, found.upper) == pytest.approx((0.00127, 0.24873), abs=1e-5)


def test_a_score_on_the_threshold_is_called_real() -> None:
    assert evaluate_source([1.0], threshold=1.0).false_positive_rate == 0.0


def evaluation(ap: float, n: int) -> FamilyEvaluation:
    return FamilyEvaluation(ap, ap, ap, True, 0.5, 0.4, 0.6, 0.5, 0.4, 0.6, n, n, 100, 0.5)


def test_mean_is_unweighted_over_families_with_enough_samples() -> None:
    found = [evaluation(0.9, 10), evaluation(0.7, 1000), evaluation(0.1, 9)]
    assert mean_average_precision(found) == pytest.approx(0.8)
    assert mean_average_precision([evaluation(0.1, 9)]) is None


def test_worst_family_ignores_families_with_few_samples() -> None:
    found = {"a": evaluation(0.9, 25), "b": evaluation(0.7, 30), "c": evaluation(0.1, 24)}
    assert worst_family(found) == ("b", 0.7)
    assert worst_family({"c": found["c"]}) is None


def test_photographs_of_one_group_are_one_trial_of_a_false_positive_rate() -> None:
    found = evaluate_source([2.0, 2.0, 0.0, 0.0], 1.0, ["a", "a", "b", "b"])
    assert (found.false_positive_rate, found.n, found.groups) == (0.5, 4, 2)
    assert found.lower == pytest.approx(0.01258, abs=1e-5)
    with pytest.raises(ValueError, match="4 real scores came with 1 groups"):
        evaluate_source([2.0, 2.0, 0.0, 0.0], 1.0, ["a"])
