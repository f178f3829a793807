"""The betting confidence sequence for an AUROC."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.drift import EProcess
from daemon.evaluate.confidence_sequence import mean_interval

VOTES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=80).map(np.array)


def test_the_true_mean_is_rarely_left_out_at_any_of_50_sample_sizes() -> None:
    random = np.random.default_rng(21)
    missed = 0
    for _ in range(100):
        votes = random.beta(4, 1, 100)
        bounds = [mean_interval(votes[:n]) for n in range(2, 101, 2)]
        missed += any(not low <= 0.8 <= high for low, high in bounds)
    assert missed <= 5  # per cent
    assert bounds[-1][1] - bounds[-1][0] < 0.20


def test_a_fixed_sample_interval_read_after_every_vote_leaves_it_out_far_more_often() -> None:
    random = np.random.default_rng(21)
    missed = 0
    for _ in range(200):
        votes = random.beta(4, 1, 100)
        n = np.arange(10, 101)
        mean = np.cumsum(votes)[9:] / n
        error = np.array([votes[:k].std(ddof=1) for k in n]) / np.sqrt(n)
        missed += bool((np.abs(mean - 0.8) > 1.96 * error).any())
    assert missed >= 40


@settings(max_examples=100, deadline=None)
@given(VOTES)
def test_it_mirrors_with_its_votes_and_holds_their_mean(votes: np.ndarray) -> None:
    low, high = mean_interval(votes)
    assert mean_interval(1.0 - votes) == pytest.approx((1.0 - high, 1.0 - low), abs=1e-6)
    assert 0.0 <= low <= votes.mean() + 1e-9
    assert votes.mean() - 1e-9 <= high <= 1.0


@settings(max_examples=50, deadline=None)
@given(VOTES, st.randoms(use_true_random=False))
def test_the_order_of_the_votes_changes_no_bit(votes: np.ndarray, random: object) -> None:
    shuffled = votes.tolist()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert mean_interval(np.array(shuffled)) == mean_interval(votes)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 50, 1000])
def test_its_end_is_where_the_sequential_test_reaches_its_level(count: int) -> None:
    votes = 0.5 * np.random.default_rng(1).random(count)
    high = mean_interval(votes, confidence=0.95)[1]
    assert EProcess.start(high).update(votes).log_e == pytest.approx(math.log(40.0), abs=1e-5)


def test_perfect_votes_leave_the_far_end_open() -> None:
    low, high = mean_interval(np.ones(50))
    assert high == 1.0
    assert 0.89 < low < 0.95
    assert mean_interval(np.zeros(50)) == pytest.approx((0.0, 1.0 - low), abs=1e-9)


def test_no_votes_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one vote"):
        mean_interval(np.array([]))
