"""Group weights, bootstrap, jackknife and exact intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binomtest, t
from sklearn.metrics import average_precision_score

from daemon.evaluate import average_precision_floor
from daemon.evaluate.intervals import (
    average_precision_interval,
    clopper_pearson,
    cumulative_mass,
    group_weights,
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


def test_pairs_of_a_real_and_its_fake_share_their_weight() -> None:
    random = np.random.default_rng(9)
    reals = random.normal(size=200)
    fakes = reals + 0.7  # each fake is a copy of its photo: what moves one moves the other
    keys = [f"g{k}" for k in range(200)]
    paired = replicate_average_precision((reals, keys), [(fakes, keys)], 0.5, 400, seed=0).std()
    apart = [f"other{k}" for k in range(200)]
    unpaired = replicate_average_precision((reals, keys), [(fakes, apart)], 0.5, 400, seed=0).std()
    assert paired < 0.75 * unpaired


def test_the_interval_of_an_ap_is_students_on_the_logit_scale() -> None:
    low, high = average_precision_interval(0.8, 0.03, 40.0, 100, 0.5)
    centre, reach = np.log(0.8 / 0.2), t.ppf(0.975, 40) * 0.03 / (0.8 * 0.2)
    assert (low, high) == pytest.approx((expit(centre - reach), expit(centre + reach)), abs=1e-12)


def test_fewer_degrees_of_freedom_widen_the_interval() -> None:
    few = average_precision_interval(0.8, 0.03, 5.0, 100, 0.5)
    many = average_precision_interval(0.8, 0.03, 500.0, 100, 0.5)
    assert few[0] < many[0]
    assert few[1] > many[1]


def test_one_group_says_only_what_an_ap_can_be() -> None:
    assert average_precision_interval(0.8, 0.0, 0.0, 1, 0.3) == (average_precision_floor(0.3), 1.0)


def test_a_perfect_ap_leaves_room_for_what_so_few_groups_could_not_show() -> None:
    low, high = average_precision_interval(1.0, 0.0, 11.0, 12, 0.5)
    assert high == 1.0
    assert low == pytest.approx(1.0 - 0.5 * (1.0 - 0.025 ** (1 / 12)))
    assert average_precision_interval(1.0, 0.0, 999.0, 1000, 0.5)[0] > 0.998
    nearly = average_precision_interval(0.9999, 1e-6, 50.0, 12, 0.5)[0]
    assert nearly == pytest.approx(1.0 - 0.5 * (1.0 - 0.5 ** (1 / 12)))


def test_no_interval_reaches_below_the_floor() -> None:
    low, high = average_precision_interval(0.31, 0.02, 30.0, 31, 0.5)
    assert low == average_precision_floor(0.5)
    assert 0.31 < high < 0.36


def test_clopper_pearson_equals_scipys_exact_interval() -> None:
    for successes, trials in ((0, 9), (3, 11), (20, 20)):
        expected = binomtest(successes, trials).proportion_ci(0.95, "exact")
        assert clopper_pearson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3), (0, 0)])
def test_a_rate_of_impossible_counts_is_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="a rate needs"):
        clopper_pearson(successes, trials)
