from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.explain.effects import (
    Summary,
    block_effect,
    number_effect,
    pool,
    squared_distance,
    summarise,
    summarise_moments,
)

RIDGE = 0.01


def draw(
    random: np.random.Generator, n: int, p: int, shift: float = 0.0, per_group: int = 1, spread: float = 1.0
) -> Summary:
    """n pictures of p correlated features, moved by `shift` spreads along the first one."""
    mix = np.eye(p) + 0.5 * np.eye(p, k=1)
    votes = random.normal(size=(n // per_group, p)).repeat(per_group, axis=0)
    values = votes * spread @ mix + shift * mix[0]
    return summarise(values, [str(i // per_group) for i in range(n)])


def distances(p: int, n: int, shift: float, draws: int = 60, per_group: int = 1) -> NDArray[np.float64]:
    """(draws, 3): the squared distance and the bounds of its root, in as many worlds."""
    random = np.random.default_rng(p * 1000 + n)
    found = []
    for _ in range(draws):
        own, other = draw(random, n, p, shift, per_group), pool([draw(random, 200, p) for _ in range(4)])
        effect = block_effect(own, other, RIDGE)
        found.append((squared_distance(own, other, RIDGE), effect.lower, effect.upper))
    return np.array(found)


@pytest.mark.parametrize(("p", "n"), [(5, 20), (60, 20), (60, 80)])
def test_equal_populations_have_a_distance_of_0_on_average_whatever_the_number_of_features(p: int, n: int) -> None:
    found = distances(p, n, 0.0)
    assert abs(found[:, 0].mean()) < 3.0 * found[:, 0].std() / np.sqrt(len(found))
    assert (found[:, 1] == 0.0).mean() >= 0.9  # the interval covers 0


@pytest.mark.parametrize(("p", "n"), [(5, 40), (60, 40)])
def test_a_true_distance_is_found_whatever_the_number_of_features(p: int, n: int) -> None:
    found = distances(p, n, 2.0)
    assert np.sqrt(found[:, 0].mean()) == pytest.approx(2.0, rel=0.06)
    assert ((found[:, 1] <= 2.0) & (found[:, 2] >= 2.0)).mean() >= 0.85


def test_without_the_correction_many_features_would_look_like_a_difference() -> None:
    random = np.random.default_rng(0)
    own, other = draw(random, 20, 60), pool([draw(random, 200, 60) for _ in range(4)])
    silent = Summary(own.mean, own.covariance, 0 * own.error, own.pictures, own.groups, own.freedom)
    assert block_effect(silent, other, RIDGE).value > 1.5
    assert block_effect(own, other, RIDGE).value < 1.0


def test_pictures_of_one_group_are_no_evidence_by_themselves() -> None:
    """Eighty pictures of eight groups, none different: counted one by one they would prove a difference."""
    random = np.random.default_rng(1)
    other = pool([draw(random, 200, 10) for _ in range(4)])
    mix = random.normal(size=(8, 10)).repeat(10, axis=0) + 0.1 * random.normal(size=(80, 10))
    grouped = block_effect(summarise(mix, [str(i // 10) for i in range(80)]), other, RIDGE)
    alone = block_effect(summarise(mix, [str(i) for i in range(80)]), other, RIDGE)
    assert not grouped.proved
    assert alone.proved


def test_a_number_is_signed_and_in_spreads_of_what_it_is_compared_with() -> None:
    random = np.random.default_rng(2)
    other = summarise(10.0 + 4.0 * random.normal(size=(4000, 1)), [str(i) for i in range(4000)])
    own = summarise(6.0 + 0.1 * random.normal(size=(50, 1)), [str(i) for i in range(50)])
    effect = number_effect(own, other)
    assert effect.value == pytest.approx(-1.0, abs=0.03)
    assert effect.lower < effect.value < effect.upper < 0.0
    assert effect.proved


def test_intervals_of_a_number_cover_the_truth() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        other = pool([draw(random, 100, 1) for _ in range(4)])
        effect = number_effect(draw(random, 12, 1, shift=0.8), other)
        covered += effect.lower <= 0.8 <= effect.upper
    assert covered / 200 >= 0.9


def test_sources_weigh_the_same_and_the_spread_between_them_counts() -> None:
    small = summarise(np.array([[0.0], [2.0]]), ["a", "b"])
    large = summarise(np.full((100, 1), 9.0) + np.linspace(-1, 1, 100)[:, None], [str(i) for i in range(100)])
    both = pool([small, large])
    assert both.mean[0] == pytest.approx(5.0)
    assert both.covariance[0, 0] == pytest.approx((2.0 + large.covariance[0, 0]) / 2 + 16.0)


def test_moments_say_the_same_as_the_pictures() -> None:
    values = np.random.default_rng(4).normal(size=(30, 6)) @ np.diag([1, 2, 3, 4, 5, 6])
    one = summarise(values, [str(i) for i in range(30)])
    other = summarise_moments(30, values.sum(axis=0), values.T @ values)
    for name in ("mean", "covariance", "error"):
        assert np.allclose(getattr(one, name), getattr(other, name), atol=1e-12)
    assert np.array_equal(one.take(2).covariance, one.covariance[2:3, 2:3])


def test_features_that_do_not_vary_are_left_out() -> None:
    random = np.random.default_rng(5)
    values = np.column_stack([random.normal(size=50), np.full(50, 3.0)])
    groups = [str(i) for i in range(50)]
    other = summarise(values, groups)
    moved = summarise(values + np.array([0.0, 1e-9]), groups)
    assert block_effect(moved, other, RIDGE).value < 0.5
    still = summarise(np.full((50, 2), 3.0), groups)
    assert block_effect(still, still, RIDGE).value == 0.0
    assert number_effect(still.take(0), still.take(0)).approximate


def test_too_little_to_know_a_spread_is_an_error() -> None:
    with pytest.raises(BadInputError, match="2 pictures of 1 groups"):
        summarise(np.zeros((2, 1)), ["a", "a"])
    with pytest.raises(BadInputError, match="no spread"):
        summarise_moments(1, np.zeros(1), np.zeros((1, 1)))
    with pytest.raises(BadInputError, match="nothing to compare"):
        pool([])
