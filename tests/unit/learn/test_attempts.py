"""Attempts are what the verdicts say, and rounds what was tried on about as much evidence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.learn.attempts import against, current_round, history, key_of
from daemon.model import Subject
from tests.unit.learn.made import CHAMPION, NEW, NO_GAIN, PROVED, attempts, versions


def test_a_family_and_a_real_source_of_one_name_have_attempts_of_their_own() -> None:
    (version,) = versions([NO_GAIN])
    assert version.verdict is not None
    version.verdict["trigger_groups"] = {key_of(Subject("source", "new")): 7}
    assert history([version], NEW) == ()
    (attempt,) = history([version], Subject("source", "new"))
    assert attempt.groups == 7


def test_attempts_follow_a_family_that_was_renamed_and_those_of_merged_ones_count_once() -> None:
    (version,) = versions([NO_GAIN])
    assert version.verdict is not None
    version.verdict["trigger_groups"] = {"new": 7, "nouveau": 9}
    (attempt,) = history([version], Subject("family", "novel"), {"new": "novel", "nouveau": "novel"})
    assert attempt.groups == 9


def test_a_verdict_of_before_learners_were_noted_was_a_mixtures() -> None:
    assert [attempt.learner for attempt in attempts([NO_GAIN, {**PROVED, "learner": "gradient"}])] == [
        "mixture",
        "gradient",
    ]


def test_a_version_without_a_verdict_or_made_for_others_is_no_attempt() -> None:
    (version,) = versions([NO_GAIN])
    assert history([version], Subject("family", "other")) == ()
    (bare,) = versions([NO_GAIN])
    object.__setattr__(bare, "verdict", None)
    assert history([bare], NEW) == ()


def test_attempts_against_another_champion_are_told_apart() -> None:
    every = history([*versions([NO_GAIN]), *versions([NO_GAIN], parent="v2")], NEW)
    assert [attempt.parent for attempt in against(every, CHAMPION)] == [CHAMPION]


def test_a_round_is_over_when_there_is_more_evidence_than_at_its_first_attempt() -> None:
    tried = attempts([NO_GAIN] * 3, groups=[20, 22, 24])
    assert len(current_round(tried, 24, 5)) == 3
    assert current_round(tried, 25, 5) == ()
    assert [attempt.groups for attempt in current_round(attempts([NO_GAIN] * 3, [20, 25, 26]), 27, 5)] == [25, 26]


def test_a_round_is_over_too_when_evidence_was_lost_and_the_next_counts_from_what_is_left() -> None:
    tried = attempts([NO_GAIN] * 3, groups=100)
    assert len(current_round(tried, 96, 5)) == 3
    assert current_round(tried, 95, 5) == current_round(tried, 40, 5) == ()
    again = attempts([NO_GAIN] * 4, groups=[100, 100, 100, 40])
    assert [attempt.groups for attempt in current_round(again, 40, 5)] == [40]
    assert current_round(again, 45, 5) == ()


def test_groups_that_go_one_by_one_begin_a_bounded_number_of_rounds() -> None:
    made = [100]
    for groups in range(99, 0, -1):
        if not current_round(attempts([NO_GAIN] * len(made), made), groups, 5):
            made.append(groups)
    assert made == list(range(100, 0, -5))


@given(st.lists(st.integers(0, 60), max_size=12), st.integers(0, 80), st.integers(1, 10))
def test_a_round_is_the_newest_attempts_and_never_wider_than_retry_after(
    groups: list[int], now: int, retry_after: int
) -> None:
    tried = attempts([NO_GAIN] * len(groups), sorted(groups))
    own = current_round(tried, now, retry_after)
    assert own == tried[len(tried) - len(own) :]
    if own:
        assert max(now, own[-1].groups) - own[0].groups < retry_after or own[-1].groups >= now
        assert own[-1].groups - own[0].groups < retry_after
