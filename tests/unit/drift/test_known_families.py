"""What is known: the e-CUSUM, its baseline, river's detectors, the budget."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.drift.alarm import AlarmTest, known_family_test, pool_test
from daemon.drift.baseline import PLACEMENT_CAP, RECALL_CAP, placement_m0, recall_m0
from daemon.drift.budget import HIGHEST_ALPHA, SHORTEST_RUN, Spending, alarm_alpha, run_length
from daemon.drift.e_cusum import ECusum
from daemon.drift.e_process import EProcess
from daemon.drift.history import History, next_step
from daemon.drift.river_detectors import RIVER_NAMES, RiverName, first_river_alarm
from daemon.drift.spending import in_force_since
from daemon.drift.subject_test import SubjectTest
from daemon.model import AuditRow, Subject
from tests.unit.drift.test_e_process import VOTES, binormal_placements

FAMILY = Subject("family", "aurora")


def test_evidence_is_the_mean_of_products_that_begin_anew_whenever_they_fall_under_one() -> None:
    votes, m0 = np.array([0.99, 0.2, 1.0, 0.1]), 0.9
    expected = []
    for share in np.linspace(0.02, 0.98, 25):
        wealth = 1.0
        for vote in votes:
            wealth = max(wealth, 1.0) * (1 + share / (1 - m0) * (m0 - vote))
        expected.append(wealth)
    assert ECusum.start(m0).update(votes).log_e == pytest.approx(math.log(np.mean(expected)), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(VOTES, st.integers(0, 30))
def test_any_cut_into_batches_and_a_restart_through_json_leave_the_same_bits(votes: list[float], cut: int) -> None:
    whole = ECusum.start(0.92).update(votes)
    first = ECusum.start(0.92).update(votes[:cut])
    read = ECusum.from_dict(json.loads(json.dumps(first.to_dict())))
    assert read == first
    assert read.update(votes[cut:]) == whole


def test_good_times_are_forgotten_where_an_e_process_would_have_to_win_them_back() -> None:
    good, bad = np.full(500, 0.98), np.full(20, 0.3)
    assert ECusum.start(0.9).update(good).update(bad).log_e > 10.0
    assert EProcess.start(0.9).update(good).update(bad).log_e < 0.0


def test_a_known_test_survives_json_with_its_kind() -> None:
    kept = known_family_test(2000.0, 0.92, 0.8).update([0.9, 0.3], [1.0, 0.0])
    read = AlarmTest.from_dict(json.loads(json.dumps(kept.to_dict())))
    assert read == kept
    assert isinstance(read.parts[0], ECusum)


def test_false_alarms_of_streams_at_the_baseline_are_at_least_the_run_length_apart() -> None:
    # Mean exactly m0, the worst healthy case: A = 200 promises 200 votes on average to the first alarm.
    streams = np.random.default_rng(3).beta(9, 1, (200, 1000))
    paths = np.stack([ECusum.start(0.9).path(stream) >= math.log(200.0) for stream in streams])
    votes = np.where(paths.any(axis=1), paths.argmax(axis=1) + 1, 1000).sum()
    assert votes / max(1, paths.any(axis=1).sum()) >= 200


def test_the_median_delay_at_m0_92_and_a_run_length_of_10000_is_no_longer_than_published() -> None:
    streams = binormal_placements(8, 0.80, (300, 300))
    crossed = np.stack([ECusum.start(0.92).path(stream) >= math.log(1e4) for stream in streams])
    assert np.median(np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1.0, np.inf)) <= 43


def test_the_baseline_is_its_lower_bound_less_a_margin_under_a_cap() -> None:
    votes = np.random.default_rng(1).beta(8, 2, 400)
    bound = votes.mean() - 2.3263478740408408 * votes.std(ddof=1) / 20.0
    assert placement_m0(votes) == pytest.approx(bound - 0.01, abs=1e-12)
    assert placement_m0(np.full(100, 0.99)) == PLACEMENT_CAP
    assert recall_m0(np.ones(1000)) == RECALL_CAP
    assert recall_m0(np.ones(10)) == pytest.approx(0.01 ** (1 / 10), abs=1e-9)
    assert 0.0 < placement_m0(np.array([0.4])) == placement_m0(np.zeros(50)) == recall_m0(np.zeros(50))


def test_a_stationary_known_family_seldom_degrades_within_4000_votes() -> None:
    random = np.random.default_rng(9)
    alarms = 0
    for _ in range(60):
        baseline, later = random.beta(19, 1, 100), random.beta(19, 1, 4000)
        alarms += bool((ECusum.start(placement_m0(baseline)).path(later) >= math.log(2000.0)).any())
    assert alarms <= 3  # with the estimate itself as m0 it is 27-46 % of the streams


# --- river ------------------------------------------------------------------------------------------------


def healthy(seed: int, n: int) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).beta(19, 1, n)]


@pytest.mark.parametrize("name", RIVER_NAMES)
def test_river_sees_a_collapse_and_its_one_step_flag_is_kept(name: RiverName) -> None:
    collapse = [float(value) for value in np.random.default_rng(2).random(200)]
    vote = first_river_alarm(name, healthy(1, 300), collapse)
    assert vote is not None and vote <= 60
    assert first_river_alarm(name, healthy(1, 300), [*collapse, *healthy(3, 300)]) == vote


@pytest.mark.parametrize("name", RIVER_NAMES)
def test_river_raises_nothing_for_healthy_votes_and_nothing_for_a_rise(name: RiverName) -> None:
    assert first_river_alarm(name, healthy(1, 300), healthy(4, 700)) is None
    middling = [float(value) for value in np.random.default_rng(5).beta(4, 2, 300)]
    assert first_river_alarm(name, middling, [0.999] * 200) is None


@pytest.mark.parametrize("name", RIVER_NAMES)
@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_a_vote_that_would_poison_a_detector_is_refused_before_it_sees_it(name: RiverName, bad: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        first_river_alarm(name, healthy(1, 40), [0.9, bad])


def test_what_a_detector_takes_for_a_change_within_the_baseline_is_no_alarm() -> None:
    broken_baseline = [*healthy(1, 100), *[0.1] * 30, *healthy(2, 200)]
    assert first_river_alarm("page_hinkley", broken_baseline, healthy(3, 100)) is None


# --- the budget -------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.floats(0.1, 5.0), st.floats(1.0, 100.0))
def test_however_many_tests_start_their_levels_never_spend_more_than_half(
    batches: list[int], budget: float, expected: float
) -> None:
    spent = 0.0
    for starting in batches:
        alpha = alarm_alpha(budget, expected, spent, starting)
        assert 0.0 < alpha <= HIGHEST_ALPHA
        spent += alpha * starting
        assert spent < budget / 2.0


def test_a_spent_budget_starts_no_test() -> None:
    with pytest.raises(ValueError, match="spent"):
        alarm_alpha(1.0, 50.0, spent=0.5)


def test_the_known_share_half_by_the_length_of_their_runs() -> None:
    assert run_length(0.2, 1000.0) == 10_000.0
    assert run_length(5.0, 10.0) == SHORTEST_RUN
    spent = Spending(1.0, 3, 0.03, 4, 2000, run_length(1.0, 2000.0))
    assert spent.known_spent == 0.5
    with pytest.raises(ValueError):
        run_length(1.0, 0.0)


def test_only_champions_of_the_last_30_days_are_asked_what_they_spent() -> None:
    begin = datetime(2030, 1, 31, tzinfo=UTC)

    def row(day: int, action: str, version: str) -> AuditRow:
        at = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=day)
        return AuditRow(day, at, "gate", action, version, None, "", {}, "", "")

    audit = [row(1, "promote", "v1"), row(5, "promote", "v2"), row(31, "hold", "v3"), row(32, "rollback", "v1")]
    assert in_force_since(audit, begin) == ["v1", "v2"]
    assert in_force_since(audit[:2], begin) == ["v2"]


# --- new or known -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "votes", "known"),
    [
        (History(), 99, False),
        (History(), 100, True),
        (History(votes=60), 40, True),
        (History(recovered=True), 0, True),
        (History(known=True), 0, True),
        (History(votes=500, running=True), 500, False),
    ],
)
def test_a_hundred_votes_without_alarm_or_a_recovery_make_a_family_known(
    history: History, votes: int, known: bool
) -> None:
    assert history.makes_known(votes) is known
    assert next_step(
        FAMILY, None, None, History(votes + history.votes, history.known, history.recovered, history.running)
    ) == ("known" if known else "new")


def test_a_degraded_family_is_tested_against_the_floors_once() -> None:
    test = SubjectTest("known", known_family_test(2000.0, 0.92, 0.8), 0.0, degraded_vote=7)
    assert next_step(FAMILY, None, test, History()) == "floor"
    assert next_step(Subject("source", "kodak"), None, test, History()) == "go_on"


def test_a_subject_test_survives_json_and_the_first_release_is_read() -> None:
    kept = SubjectTest(
        "known", known_family_test(2000.0, 0.9, 0.7).update([0.1], [0.0]), 12.5, 3, 1, pool_test(50, 0.1), 13.0
    )
    assert SubjectTest.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept
    old = {"parts": [{"m0": 0.9, "log_wealth": [0.0] * 25, "votes": 4}], "alpha": 0.01, "alarm_vote": None}
    read = SubjectTest.from_dict(old)
    assert (read.stage, read.test.votes, read.test.alpha) == ("new", 4, 0.01)


def test_the_budget_counts_new_tests_and_floors_but_not_what_is_known() -> None:
    new = SubjectTest("new", AlarmTest((EProcess.start(0.9),), 0.01), 100.0)
    assert new.spent(after=99.0) == [0.01]
    assert new.spent(after=100.0) == []
    known = SubjectTest("known", known_family_test(2000.0, 0.9, 0.7), 100.0)
    assert known.spent(after=0.0) == []
    floor = SubjectTest("known", known.test, 100.0, degraded_vote=3, floor=new.test, floor_started=200.0)
    assert floor.spent(after=150.0) == [0.01]
