"""Placement values, group votes, the budget and the states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.drift import alarm_alpha, family_state, group_votes, placement_values, source_state

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=20)


@given(SCORES, SCORES)
def test_a_placement_value_is_the_share_of_reals_below_with_ties_half(reals: list[float], scores: list[float]) -> None:
    expected = [np.mean([(r < s) + 0.5 * (r == s) for r in reals]) for s in scores]
    assert placement_values(reals, scores) == pytest.approx(np.asarray(expected), abs=1e-12)


@pytest.mark.parametrize(("reals", "scores"), [([], [1.0]), ([math.nan], [1.0]), ([1.0], [math.nan])])
def test_placement_without_an_answer_is_refused(reals: list[float], scores: list[float]) -> None:
    with pytest.raises(ValueError):
        placement_values(reals, scores)


def test_a_group_votes_once_by_its_mean_and_never_again() -> None:
    votes, groups = group_votes([0.2, 0.9, 0.4, 0.5], ["a", "b", "a", "c"], already_voted={"c"})
    assert groups == ("a", "b")
    assert votes.tolist() == pytest.approx([0.3, 0.9])
    again, none = group_votes([0.1], ["a"], already_voted=groups)
    assert again.size == 0
    assert none == ()


@given(st.lists(st.floats(0, 1), min_size=3, max_size=8), st.randoms())
def test_the_order_inside_a_group_leaves_no_trace(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, _ = group_votes(values, ["a"] * len(values))
    second, _ = group_votes(shuffled, ["a"] * len(values))
    assert first.tolist() == second.tolist()


def test_votes_without_their_groups_are_refused() -> None:
    with pytest.raises(ValueError):
        group_votes([0.1, 0.2], ["a"])


def test_half_of_the_budget_is_shared_by_the_new_tests() -> None:
    assert alarm_alpha(1.0, 50.0) == 0.01
    assert alarm_alpha(0.5, 250.0) == 0.001


def test_few_tests_do_not_make_a_weak_alarm() -> None:
    assert alarm_alpha(1.0, 2.0) == 0.05


@pytest.mark.parametrize(("budget", "tests"), [(0.0, 5.0), (1.0, 0.0), (-1.0, 5.0)])
def test_a_budget_without_meaning_is_refused(budget: float, tests: float) -> None:
    with pytest.raises(ValueError):
        alarm_alpha(budget, tests)


@pytest.mark.parametrize(
    ("n", "alarmed", "upper", "state"),
    [
        (9, False, 0.2, "insufficient"),
        (10, False, 0.2, "detected"),
        (10, True, 0.45, "evading"),
        (10, True, 0.449, "inverted"),
        (5, True, 0.9, "evading"),
    ],
)
def test_only_the_alarm_makes_a_family_evade(n: int, alarmed: bool, upper: float, state: str) -> None:
    assert family_state(n, alarmed, upper) == state


@pytest.mark.parametrize(
    ("n", "alarmed", "state"), [(9, False, "insufficient"), (10, False, "ok"), (10, True, "misjudged")]
)
def test_only_the_alarm_makes_a_source_misjudged(n: int, alarmed: bool, state: str) -> None:
    assert source_state(n, alarmed) == state
