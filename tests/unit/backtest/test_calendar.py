"""The release calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.backtest.calendar import Entry, make_calendar
from daemon.errors import BadInputError


def picture(name: str, index: int, released: str | None) -> Entry:
    digest = sha256(f"{name}:{index}".encode()).hexdigest()
    real = released is None
    return Entry(
        f"{name}/{index}", digest, "real" if real else "synthetic", None if real else name, name, None, released, None
    )


def collection(released: dict[str, str], pictures: int = 8, reals: int = 5) -> list[Entry]:
    made = [picture("camera", i, None) for i in range(reals)]
    return made + [picture(name, i, day) for name, day in released.items() for i in range(pictures)]


DATES = {"a": "2020-03", "b": "2020", "c": "2021-02-14", "d": "2021-02-14", "e": "2021-03", "f": "2022-01"}


def test_periods_are_windows_of_families_by_release_and_those_of_one_date_stay_together() -> None:
    found = make_calendar(collection(DATES), families_per_period=3, weeks=1)
    assert [period.families for period in found.periods] == [("b", "a", "c", "d"), ("e", "f")]
    assert (found.periods[0].first, found.periods[0].last) == (date(2020, 1, 1), date(2021, 2, 14))


def test_the_first_period_and_the_real_pictures_are_there_from_the_beginning() -> None:
    found = make_calendar(collection(DATES), families_per_period=2, weeks=4)
    assert found.start == datetime(2020, 3, 1, tzinfo=UTC)
    first = found.deliveries[0]
    assert {entry.family for entry in first.entries} == {None, "a", "b"}
    assert len(first.entries) == 5 + 2 * 8


def test_a_later_family_arrives_in_weekly_parts_of_equal_size() -> None:
    found = make_calendar(collection(DATES), families_per_period=2, weeks=4)
    arrived = [(d.at, sum(e.family == "f" for e in d.entries)) for d in found.deliveries]
    release = datetime(2022, 1, 1, tzinfo=UTC)
    assert [line for line in arrived if line[1]] == [(release + week * timedelta(days=7), 2) for week in range(4)]


def test_a_family_of_fewer_pictures_than_weeks_still_arrives() -> None:
    found = make_calendar(collection(DATES, pictures=2), families_per_period=2, weeks=5)
    assert sum(e.family == "f" for d in found.deliveries for e in d.entries) == 2


def test_a_period_is_measured_before_the_first_picture_of_the_next_one() -> None:
    # e begins while the last parts of c and d are still to come
    found = make_calendar(collection(DATES), families_per_period=2, weeks=4)
    ends = {number: d.at for d in found.deliveries for number in d.ends}
    assert ends == {
        0: datetime(2020, 3, 1, tzinfo=UTC),
        1: datetime(2021, 2, 28, tzinfo=UTC),
        2: datetime(2022, 1, 22, tzinfo=UTC),
    }
    assert [period.families for period in found.periods] == [("b", "a"), ("c", "d"), ("e", "f")]


def test_at_once_delivers_everything_at_the_end_and_measures_every_period_then() -> None:
    found = make_calendar(collection(DATES), families_per_period=2, weeks=4)
    once = found.at_once()
    assert len(once.deliveries) == 1
    assert len(once.deliveries[0].entries) == 5 + 6 * 8
    assert once.deliveries[0].ends == (0, 1, 2)
    assert once.deliveries[0].new == ()


def test_without_real_pictures_or_a_second_period_there_is_nothing_to_replay() -> None:
    with pytest.raises(BadInputError, match="no real pictures"):
        make_calendar(collection(DATES, reals=0), 2, 4)
    with pytest.raises(BadInputError, match="two periods of 7 families"):
        make_calendar(collection(DATES), 7, 4)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefghij"), st.dates(date(2020, 1, 1), date(2020, 12, 31)), min_size=3),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(1, 9),
)
def test_everything_arrives_once_no_earlier_than_its_release_and_every_period_is_measured_once(
    days: dict[str, date], least: int, weeks: int, pictures: int
) -> None:
    entries = collection({name: day.isoformat() for name, day in days.items()}, pictures=pictures)
    try:
        found = make_calendar(entries, least, weeks)
    except BadInputError:
        assert (
            len(set(days.values())) < 2 or len(days) <= least or sorted(days.values())[least - 1] == max(days.values())
        )
        return
    assert sorted(e.sha256 for d in found.deliveries for e in d.entries) == sorted(e.sha256 for e in entries)
    assert [d.at for d in found.deliveries] == sorted({d.at for d in found.deliveries})
    for delivery in found.deliveries:
        for entry in delivery.entries:
            assert entry.family is None or delivery.at.date() >= days[entry.family]
    assert [n for d in found.deliveries for n in d.ends] == [period.number for period in found.periods]
    seen: set[str] = set()
    for delivery in found.deliveries:
        seen.update(entry.family for entry in delivery.entries if entry.family)
        for number in delivery.ends:  # all of it has begun to arrive, and nothing of what follows
            assert set(found.periods[number].families) <= seen
            assert not seen & {family for later in found.periods[number + 1 :] for family in later.families}
    assert sorted(family for d in found.deliveries for family in d.new) == sorted(days)
