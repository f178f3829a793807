"""Bounds, Holm and the sign test behind the gate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from daemon.promote.comparison import GateSettings
from daemon.promote.difference import (
    Difference,
    family_differences,
    holm,
    mean_difference,
    rate_difference,
    sign_test,
)
from tests.unit.promote.binormal import holdout


def difference(value: float, error: float, groups: int, replicates: np.ndarray | None = None) -> Difference:
    return Difference("raw", None, 0.5, 0.5 + value, value, error, groups, groups, replicates)


def test_few_groups_widen_the_bounds_beyond_the_normal_curve() -> None:
    many, few = difference(0.1, 0.02, 10_000), difference(0.1, 0.02, 10)
    assert many.lower(0.006) == pytest.approx(0.1 - norm.isf(0.006) * 0.02, abs=1e-4)
    assert few.lower(0.006) < many.lower(0.006) - 0.01
    assert difference(0.1, 0.02, 1).lower(0.05) == -np.inf


def test_a_skewed_difference_is_bounded_by_its_replicates() -> None:
    skewed = 0.1 - np.random.default_rng(0).exponential(0.05, 1000) ** 2 * 20
    plain = difference(0.1, float(skewed.std()), 500)
    wide = difference(0.1, float(skewed.std()), 500, skewed)
    assert wide.lower(0.05) <= plain.lower(0.05)
    assert wide.lower(0.05) == pytest.approx(min(plain.lower(0.05), np.quantile(skewed, 0.05)))


def test_a_bound_and_its_p_value_agree() -> None:
    found = difference(0.05, 0.02, 40)
    p = found.p_better()
    assert found.lower(p * 1.01) > 0.0 > found.lower(p * 0.99)
    assert found.p_worse() == 1.0


def test_a_mean_of_paired_differences_is_surer_than_its_parts() -> None:
    found = list(family_differences(holdout(1, {"a": (0.8, 0.9), "b": (0.8, 0.9)})[0], GateSettings()).values())
    mean = mean_difference(found)
    assert mean.value == pytest.approx((found[0].value + found[1].value) / 2)
    assert mean.standard_error < min(d.standard_error for d in found)
    assert mean.groups == 199


def test_the_standard_error_of_a_difference_is_that_of_repeated_holdouts() -> None:
    runs = [
        next(iter(family_differences(holdout(s, {"a": (0.8, 0.85)})[0], GateSettings(replicates=200)).values()))
        for s in range(60)
    ]
    stated = np.mean([run.standard_error for run in runs])
    assert stated == pytest.approx(np.std([run.value for run in runs], ddof=1), rel=0.25)


def test_no_disagreement_in_few_reals_proves_little() -> None:
    calm = np.zeros(50, dtype=np.bool_)
    found = rate_difference("raw", None, calm, calm, [f"g{k}" for k in range(50)])
    assert found.value == 0.0
    assert 0.02 < found.upper(0.05) < 0.06


def test_repeated_groups_do_not_make_a_rate_surer() -> None:
    random = np.random.default_rng(0)
    before, after = random.random(60) < 0.2, random.random(60) < 0.3
    once = rate_difference("raw", None, before, after, [f"g{k}" for k in range(60)])
    copied = rate_difference("raw", None, before.repeat(9), after.repeat(9), [f"g{k // 9}" for k in range(540)])
    assert copied.standard_error == pytest.approx(once.standard_error, rel=1e-9)


def test_the_sign_test_is_the_exact_binomial_over_changed_groups() -> None:
    before = np.array([True] * 3 + [False] * 40)
    after = np.array([False] * 3 + [True] * 12 + [False] * 28)
    groups = [f"g{k}" for k in range(43)]
    assert sign_test(before, after, groups) == pytest.approx(binomtest(12, 15, alternative="greater").pvalue)
    assert sign_test(before, before, groups) == 1.0
    assert sign_test(before, after, ["one"] * 43) == 0.5


def test_holm_steps_down_and_stops_at_the_first_that_stands() -> None:
    assert holm([0.02, 0.001, 0.03, 0.9], 0.05) == [
        (pytest.approx(0.05 / 3), False),
        (0.0125, True),
        (0.025, False),
        (0.05, False),
    ]
    assert [rejected for _, rejected in holm([0.01, 0.02, 0.04], 0.05)] == [True, True, True]
    # .04 would pass at its own level, but .03 stood before it
    assert [rejected for _, rejected in holm([0.03, 0.04], 0.05)] == [False, False]
    assert holm([], 0.05) == []
