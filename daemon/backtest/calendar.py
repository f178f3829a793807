"""The release calendar: which pictures are delivered when, and which families make up a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from daemon.errors import BadInputError
from daemon.model import Candidate, Label

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelled picture of the collection that the service can take in."""

    uri: str
    sha256: str  # hex digits
    label: Label
    family: str | None  # of a synthetic picture
    source: str | None
    group: str | None
    released: str | None  # of the family: YYYY, YYYY-MM or YYYY-MM-DD
    kind: str | None

    def candidate(self, content: bytes) -> Candidate:
        """The delivery of it."""
        return Candidate(
            uri=self.uri,
            content=content,
            label=self.label,
            family=self.family,
            source=self.source,
            group=self.group,
            released=self.released,
            kind=self.kind,
            sha256=self.sha256,
        )


@dataclass(frozen=True, slots=True)
class Period:
    """A window of generators by release date."""

    number: int  # from 0, which is what the service knows at the beginning
    families: tuple[str, ...]  # by release date, then name
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Delivery:
    """What arrives at one moment of simulated time."""

    at: datetime
    entries: tuple[Entry, ...] = field(repr=False)
    new: tuple[str, ...]  # families of which nothing arrived before
    ends: tuple[int, ...] = ()  # periods that are measured once it is dealt with


@dataclass(frozen=True, slots=True)
class Calendar:
    """A collection in the order of its release."""

    periods: tuple[Period, ...]
    deliveries: tuple[Delivery, ...]
    released: Mapping[str, date]  # of every family
    pictures: Mapping[str, tuple[Entry, ...]] = field(repr=False)  # of every family, in order of arrival

    @property
    def start(self) -> datetime:
        """When simulated time begins."""
        return self.deliveries[0].at

    def at_once(self) -> Calendar:
        """The same periods with everything delivered at the end: nothing is new to whoever learns then."""
        entries = tuple(entry for delivery in self.deliveries for entry in delivery.entries)
        last = Delivery(self.deliveries[-1].at, entries, (), tuple(period.number for period in self.periods))
        return Calendar(self.periods, (last,), self.released, self.pictures)


def make_calendar(entries: Sequence[Entry], families_per_period: int, weeks: int) -> Calendar:
    """Lay a collection out in time.

    Families go by release date into periods of `families_per_period` or, as those of one date stay together, a few
    more. The first period and all real pictures are there from the beginning, on the day of its last release. Every
    later family arrives in `weeks` equal parts, one a week from its release on, in an order drawn by the pictures'
    digests. A month or year without a day counts as its first day.

    Raises BadInputError when there are no real pictures or fewer than two periods.
    Source: the protocol of AI-GenBench, arXiv 2504.20865.
    """
    pictures: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.sha256):
        if entry.family is not None:
            pictures.setdefault(entry.family, []).append(entry)
    released = {family: day_of(own[0].released or "") for family, own in pictures.items()}
    periods = _periods(released, families_per_period)
    reals = [entry for entry in entries if entry.label == "real"]
    if not reals:
        raise BadInputError("the collection has no real pictures to tell generators from: add rows with label real")
    if len(periods) < 2:
        raise BadInputError(
            f"a back-test needs two periods of {families_per_period} families of different release dates, "
            f"the collection has {len(released)} families: `--period` takes a smaller number"
        )
    start = _midnight(periods[0].last)
    arriving: dict[datetime, list[Entry]] = {start: [*reals]}
    for family, day in sorted(released.items(), key=lambda item: (item[1], item[0])):
        known = family in periods[0].families
        for week, part in enumerate([pictures[family]] if known else _parts(pictures[family], weeks)):
            arriving.setdefault(start if known else _midnight(day) + week * WEEK, []).extend(part)
    return Calendar(
        tuple(periods),
        tuple(_deliveries(arriving, periods)),
        released,
        {family: tuple(own) for family, own in pictures.items()},
    )


def day_of(released: str) -> date:
    """The first day of a release date given as YYYY, YYYY-MM or YYYY-MM-DD; it was checked when it was taken in.

    >>> day_of("2023-07")
    datetime.date(2023, 7, 1)
    """
    year, month, day = [*released.split("-"), "1", "1"][:3]
    return date(int(year), int(month), int(day))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _periods(released: Mapping[str, date], least: int) -> list[Period]:
    periods: list[Period] = []
    own: list[str] = []
    for family in sorted(released, key=lambda name: (released[name], name)):
        if len(own) >= least and released[family] != released[own[-1]]:
            periods.append(_period(len(periods), own, released))
            own = []
        own.append(family)
    return [*periods, _period(len(periods), own, released)] if own else periods


def _period(number: int, families: Sequence[str], released: Mapping[str, date]) -> Period:
    return Period(number, tuple(families), released[families[0]], released[families[-1]])


def _parts(entries: Sequence[Entry], count: int) -> list[Sequence[Entry]]:
    """As many parts of as equal size as there are entries for."""
    bounds = [len(entries) * part // count for part in range(count + 1)]
    return [entries[low:high] for low, high in pairwise(bounds) if high > low]


def _deliveries(arriving: Mapping[datetime, Sequence[Entry]], periods: Sequence[Period]) -> list[Delivery]:
    """A period is measured right before the first picture of the next one."""
    times = sorted(arriving)
    begins = [times[0], *(_midnight(period.first) for period in periods[1:])]
    seen: set[str] = set()
    found = []
    for at, following in zip(times, [*times[1:], None], strict=True):
        families = dict.fromkeys(entry.family for entry in arriving[at] if entry.family is not None)
        ends = tuple(
            period.number
            for period, end in zip(periods, [*begins[1:], None], strict=True)
            if (following is None or (end is not None and following >= end)) and (end is None or at < end)
        )
        found.append(Delivery(at, tuple(arriving[at]), tuple(f for f in families if f not in seen), ends))
        seen.update(families)
    return found
