"""Group weights, bootstrap, jackknife and exact intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score

from daemon.evaluate import average_precision
from daemon.evaluate.intervals import (
    clopper_pearson,
    cumulative_mass,
    group_weights,
    jackknife_standard_error,
    replicate_average_precision,
    weighted_average_precision,
)


def test_a_groups_weight_does_not_depend_on_the_company_it_comes_in() -> None:
    together = group_weights(["a", "b", "a", "c"], 50, seed=7)
    alone = group_weights(["c", "a"], 50, seed=7)
    assert np.array_equal(together[0], together[2])
    assert np.array_equal(together[[3, 0]], alone)
    assert not np.array_equal(together[0], group_weights(["a"], 50, seed=8)[0])


def test_replicates_may_be_drawn_in_pieces() -> None:
    whole = group_weights(["a", "b"], 30, seed=1)
    assert np.array_equal(whole[:, 20:], group_weights(["a", "b"], 10, seed=1, first=20))


def test_group_weights_are_exponential_and_uncorrelated() -> None:
    weights = group_weights([f"g{k}" for k in range(300)], 1000, seed=0)
    assert weights.mean() == pytest.approx(1.0, abs=0.01)
    assert weights.var() == pytest.approx(1.0, abs=0.03)
    assert (weights > 3.0).mean() == pytest.approx(np.exp(-3.0), abs=0.002)
    correlation = np.asarray(np.corrcoef(weights))[np.triu_indices(300, 1)]
    assert np.abs(correlation).max() < 0.16  # 44,850 pairs of 1,000 draws: five standard errors
    neighbours = np.corrcoef(weights[:, :-1].ravel(), weights[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.01


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=25),
    st.lists(st.integers(0, 6), min_size=1, max_size=25),
    st.floats(0.05, 0.95),
)
def test_a_weighted_replicate_equals_scikit_learn(reals: list[int], fakes: list[int], prevalence: float) -> None:
    real, fake = -np.sort(-np.asarray(reals, float)), np.asarray(fakes, float)
    random = np.random.default_rng(len(reals))
    real_weights, fake_weights = (
        random.exponential(size=(real.size, 3)),
        random.exponential(size=(fake.size, 3)),
    )
    found = weighted_average_precision(real, cumulative_mass(real_weights), fake, fake_weights, prevalence)
    for column in range(3):
        sides = (
            (1 - prevalence) * real_weights[:, column] / real_weights[:, column].sum(),
            prevalence * fake_weights[:, column] / fake_weights[:, column].sum(),
        )
        expected = average_precision_score(
            [0] * real.size + [1] * fake.size,
            np.concatenate((real, fake)),
            sample_weight=np.concatenate(sides),
        )
        assert found[column] == pytest.approx(expected, abs=1e-12)


def binormal(seed: int, m: int, n: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(size=m), random.normal(shift, 1.0, n)


def test_the_jackknife_is_the_derivative_of_the_weighted_average_precision() -> None:
    reals, fakes = binormal(5, 40, 12, 1.0)
    reals = np.round(reals, 1)  # ties on both sides
    fakes = np.round(fakes, 1)
    groups = [f"g{k % 17}" for k in range(40)]
    fake_groups = [f"g{k % 9}" for k in range(12)]
    descending = np.argsort(-reals, kind="stable")
    total = 0.0
    for group in sorted({*groups, *fake_groups}):
        step = np.array([1e-5, -1e-5])
        real_weights = 1.0 + np.outer([g == group for g in groups], step)
        fake_weights = 1.0 + np.outer([g == group for g in fake_groups], step)
        mass = cumulative_mass(real_weights[descending])
        up, down = weighted_average_precision(reals[descending], mass, fakes, fake_weights, 0.3)
        total += ((up - down) / 2e-5) ** 2
    error = jackknife_standard_error((reals, groups), (fakes, fake_groups), 0.3)
    assert error == pytest.approx(np.sqrt(total), rel=1e-6)


def test_jackknife_and_bootstrap_agree_on_many_samples_with_shared_groups() -> None:
    reals, fakes = binormal(2, 1000, 400, 1.2)
    sides = (reals, [f"g{k}" for k in range(1000)]), (fakes, [f"g{k // 2}" for k in range(400)])
    drawn = replicate_average_precision(sides[0], [sides[1]], 0.5, 1000, seed=3)
    assert jackknife_standard_error(*sides, 0.5) == pytest.approx(drawn.std(), rel=0.08)
    assert drawn.mean() == pytest.approx(average_precision(reals, fakes), abs=0.005)


def test_pairs_of_a_real_and_its_fake_share_their_weight() -> None:
    random = np.random.default_rng(9)
    reals = random.normal(size=200)
    fakes = reals + 0.7  # each fake is a copy of its photo: what moves one moves the other
    keys = [f"g{k}" for k in range(200)]
    paired = replicate_average_precision((reals, keys), [(fakes, keys)], 0.5, 400, seed=0).std()
    apart = [f"other{k}" for k in range(200)]
    unpaired = replicate_average_precision((reals, keys), [(fakes, apart)], 0.5, 400, seed=0).std()
    assert paired < 0.75 * unpaired


def test_clopper_pearson_equals_scipys_exact_interval() -> None:
    for successes, trials in ((0, 9), (3, 11), (20, 20)):
        expected = binomtest(successes, trials).proportion_ci(0.95, "exact")
        assert clopper_pearson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3), (0, 0)])
def test_a_rate_of_impossible_counts_is_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="a rate needs"):
        clopper_pearson(successes, trials)
