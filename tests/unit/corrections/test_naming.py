"""What a claimed family is called by now."""

from __future__ import annotations

import doctest
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.corrections import naming
from daemon.corrections.naming import Claim, Rule, first_day, is_after, last_day, present_families, present_names

AT = datetime(2030, 1, 10, tzinfo=UTC)
NAMES = st.sampled_from("abcd")
RULES = st.lists(st.builds(Rule, NAMES, NAMES, st.none() | st.sampled_from(["s", "t"])), max_size=6)
CLAIMS = st.lists(st.builds(Claim, st.none() | NAMES, st.sampled_from(["s", "t"]), st.none(), st.just(AT)), max_size=5)


def claim(family: str | None, source: str = "s", released: str | None = None, day: int = 10) -> Claim:
    return Claim(family, source, released, AT.replace(day=day))


def test_the_examples_hold() -> None:
    assert doctest.testmod(naming).failed == 0


def test_a_split_by_source_leaves_the_others() -> None:
    rules = [Rule("sd", "sd_2", source="forum")]
    assert present_families([claim("sd", "forum")], rules) == ["sd_2"]
    assert present_families([claim("sd", "hub")], rules) == ["sd"]


def test_a_picture_that_two_sources_deliver_is_on_one_side_of_a_split() -> None:
    rules = [Rule("sd", "sd_2", source="forum")]
    assert present_families([claim("sd", "hub"), claim("sd", "forum")], rules) == ["sd", "sd"]
    assert present_families([claim(None, "hub"), claim("sd", "forum"), claim("sd", "hub")], rules) == [
        None,
        "sd_2",
        "sd_2",
    ]


def test_by_release_only_what_is_surely_later_goes() -> None:
    rules = [Rule("sd", "sd_2", released_after="2024-02")]
    named = [present_families([claim("sd", released=r)], rules)[0] for r in (None, "2024", "2024-02-29", "2024-03")]
    assert named == ["sd", "sd", "sd", "sd_2"]


def test_by_delivery_what_came_later_goes() -> None:
    rules = [Rule("sd", "sd_2", delivered_after=AT)]
    assert [present_families([claim("sd", day=day)], rules)[0] for day in (9, 10, 11)] == ["sd", "sd", "sd_2"]


@given(CLAIMS, RULES)
def test_a_later_claim_changes_nothing_about_earlier_ones(claims: list[Claim], rules: list[Rule]) -> None:
    """So that the intake, which sees one after the other, agrees with whoever decides from all of them."""
    whole = present_families(claims, rules)
    assert [present_families(claims[: n + 1], rules)[n] for n in range(len(claims))] == whole


@given(NAMES, RULES)
def test_names_follow_the_rules_for_whole_families(name: str, rules: list[Rule]) -> None:
    whole = [replace(rule, source=None) for rule in rules if not rule.conditional]
    assert present_families([claim(name)], whole) == [present_names(rules).get(name, name)]


def test_a_renaming_back_leaves_the_first_name_its_own() -> None:
    rules = [Rule("a", "b"), Rule("b", "a")]
    assert present_names(rules) == {"b": "a"}
    assert present_families([claim("a"), claim("b")], rules) == ["a", "a"]


@given(st.dates(date(1, 1, 1)))
def test_a_day_lies_between_the_days_of_its_month_and_year(day: date) -> None:
    whole, month, year = day.isoformat(), day.isoformat()[:7], day.isoformat()[:4]
    assert first_day(year) <= first_day(month) <= first_day(whole) == day == last_day(whole)
    assert last_day(whole) <= last_day(month) <= last_day(year)
    assert not is_after(whole, month) and not is_after(month, year)


@pytest.mark.parametrize("text", ["", "24", "2024-1", "2024-13", "2024-02-30", "24-01-2001", "2024/02"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        first_day(text)
