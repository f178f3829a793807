"""The sequential test: what it proves, how fast, and how seldom it is wrong."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from daemon.drift import EProcess, family_test, source_test
from daemon.drift.alarm import AlarmTest
from daemon.drift.betting import FRACTIONS, log_mixture, log_steps

VOTES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)


def first_alarms(streams: np.ndarray, m0: float, alpha: float) -> np.ndarray:
    """Votes until the alarm of each stream, float64 (k,); inf where there is none. streams: (k, votes)."""
    crossed = np.stack([EProcess.start(m0).path(stream) >= -math.log(alpha) for stream in streams])
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1.0, np.inf)


def test_evidence_is_the_mean_over_the_bets_of_their_products() -> None:
    votes = np.array([0.2, 0.9, 0.4])
    products = [np.prod([1 + c / (1 - 0.9) * (0.9 - u) for u in votes]) for c in np.linspace(0.02, 0.98, 25)]
    found = EProcess.start(0.9).update(votes)
    assert found.log_e == pytest.approx(math.log(np.mean(products)), abs=1e-12)
    assert found.votes == 3


@settings(max_examples=100, deadline=None)
@given(VOTES, st.floats(0.05, 0.95))
def test_no_vote_ruins_a_bet(votes: list[float], m0: float) -> None:
    gains = np.exp(log_steps(np.asarray(votes), m0))
    assert (gains >= 1.0 - FRACTIONS - 1e-12).all()


def test_evidence_is_fair_at_the_floor() -> None:
    gains = np.exp(log_steps(np.array([0.0, 1.0]), 0.9))
    assert 0.1 * gains[0] + 0.9 * gains[1] == pytest.approx(np.ones(25), abs=1e-12)


def test_long_evidence_does_not_overflow() -> None:
    found = EProcess.start(0.9).update(np.zeros(100_000))
    assert math.isfinite(found.log_e)
    assert found.log_e > 100_000


@pytest.mark.parametrize("vote", [-0.01, 1.01, math.nan])
def test_a_vote_that_is_none_is_refused(vote: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        EProcess.start(0.9).update([0.5, vote])


@settings(max_examples=50, deadline=None)
@given(VOTES, VOTES)
def test_a_restart_through_json_continues_bit_by_bit(before: list[float], after: list[float]) -> None:
    kept = EProcess.start(0.9).update(before)
    read = EProcess.from_dict(json.loads(json.dumps(kept.to_dict())))
    assert read == kept
    assert read.update(after) == kept.update(after)


@settings(max_examples=50, deadline=None)
@given(VOTES, st.randoms())
def test_a_shuffled_batch_leaves_the_same_bits(votes: list[float], random: object) -> None:
    shuffled = list(votes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert EProcess.start(0.9).update(shuffled) == EProcess.start(0.9).update(votes)


@pytest.mark.parametrize("change", [{"m0": 1.0}, {"votes": -1}, {"log_wealth": [0.0]}, {"log_wealth": [math.nan] * 25}])
def test_a_spoilt_state_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        EProcess.from_dict({**EProcess.start(0.9).to_dict(), **change})


@pytest.mark.parametrize("shape", ["placement", "coin"])
def test_false_alarms_of_2000_healthy_streams_stay_under_alpha(shape: str) -> None:
    random = np.random.default_rng(11)
    # Both have mean exactly .9, the worst healthy case; looked at after every one of 200 votes.
    streams = random.beta(9, 1, (2000, 200)) if shape == "placement" else (random.random((2000, 200)) < 0.9) * 1.0
    assert np.isfinite(first_alarms(streams, 0.9, alpha=0.05)).mean() <= 0.05


def binormal_placements(seed: int, auroc: float, shape: tuple[int, int]) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(norm.ppf(auroc) * math.sqrt(2.0), 1.0, shape)
    return np.asarray(norm.cdf(scores))


@pytest.mark.parametrize(("area", "fewest", "most"), [(0.80, 36, 56), (0.50, 6, 8), (0.20, 4, 6)])
def test_median_delay_of_the_placement_test_is_no_longer_than_published(area: float, fewest: int, most: int) -> None:
    delays = first_alarms(binormal_placements(5, area, (400, 400)), 0.9, alpha=0.001)
    assert fewest <= np.median(delays) <= most


@pytest.mark.parametrize(
    ("recall", "alpha", "votes"),
    [(0.0, 0.01, 9), (0.1, 0.01, 14), (0.2, 0.01, 24), (0.0, 0.001, 13), (0.1, 0.001, 18), (0.2, 0.001, 35)],
)
def test_median_delay_of_the_recall_test_is_as_published(recall: float, alpha: float, votes: int) -> None:
    streams = (np.random.default_rng(6).random((400, 200)) < recall) * 1.0
    assert np.median(first_alarms(streams, 0.5, alpha)) == pytest.approx(votes, abs=4 if recall else 0)


def test_a_family_test_averages_the_evidence_of_its_two_parts() -> None:
    placements, above = [0.3, 0.8, 0.1, 0.6], [0.0, 1.0, 0.0, 0.0]
    found = family_test(0.01).update(placements, above)
    parts = [EProcess.start(0.9).update(placements).log_e, EProcess.start(0.5).update(above).log_e]
    assert math.exp(found.log_e) == pytest.approx(np.mean(np.exp(parts)), rel=1e-12)


def test_an_alarm_names_the_vote_at_which_the_evidence_first_crossed() -> None:
    batch = family_test(0.01).update(np.zeros(20), np.zeros(20))
    one_by_one = family_test(0.01)
    for _ in range(20):
        one_by_one = one_by_one.update([0.0], [0.0])
    assert batch.alarmed
    assert batch.alarm_vote == one_by_one.alarm_vote == 3
    assert batch.votes == 20


def test_an_alarm_stays_when_later_votes_are_good() -> None:
    alarmed = family_test(0.01).update(np.zeros(10), np.zeros(10))
    later = alarmed.update(np.ones(500), np.ones(500))
    assert later.log_e < later.log_alarm
    assert later.alarm_vote == alarmed.alarm_vote


def test_an_alarm_is_judged_at_the_end_of_a_batch_so_its_order_cannot_raise_it() -> None:
    bad_first = np.concatenate((np.zeros(4), np.ones(60)))
    assert family_test(0.01).update(bad_first[:4], bad_first[:4]).alarmed
    forward = family_test(0.01).update(bad_first, bad_first)
    backward = family_test(0.01).update(bad_first[::-1], bad_first[::-1])
    assert not forward.alarmed
    assert forward == backward


def test_a_healthy_family_raises_no_alarm() -> None:
    found = family_test(0.01).update(np.full(500, 0.97), (np.arange(500) % 5 > 0) * 1.0)
    assert not found.alarmed
    assert found.log_e < 0.0


def test_parts_must_see_the_same_votes() -> None:
    with pytest.raises(ValueError, match="same votes"):
        family_test(0.01).update([0.1, 0.2], [0.0])


def test_an_alarm_test_survives_json_bit_by_bit() -> None:
    for votes in (2, 30):
        kept = family_test(0.01).update(np.full(votes, 0.1), np.zeros(votes))
        assert AlarmTest.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept


def test_a_source_with_four_times_its_ceiling_is_alarmed_and_one_at_its_ceiling_is_not() -> None:
    at_ceiling = (np.arange(400) % 10 != 5) * 1.0  # one in ten is flagged
    assert not source_test(0.01, 0.10).update(at_ceiling).alarmed
    misjudged = (np.arange(100) % 10 >= 4) * 1.0
    found = source_test(0.01, 0.10).update(misjudged)
    assert found.alarmed
    assert found.alarm_vote is not None
    assert found.alarm_vote < 40


def test_the_mixture_is_a_logarithm_of_a_mean() -> None:
    assert log_mixture(np.array([0.0, math.log(3.0)])) == pytest.approx(math.log(2.0))
