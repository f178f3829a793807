"""Figures, times and small shapes as the page shows them; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

_STEPS: Final = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (120, 60, "min"))


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure and its interval on a scale from 0 to 1, in percent of the bar's width."""

    left: float  # lower end
    width: float  # of the interval
    at: float | None  # the figure itself


@dataclass(frozen=True, slots=True)
class Side:
    """A contribution on a scale with 0 in the middle, in percent of the width."""

    left: float
    width: float


def ago(then: datetime, now: datetime) -> str:
    """The time between two moments, short, for a person.

    >>> ago(datetime(2026, 1, 1), datetime(2026, 1, 4))
    '3 d ago'
    >>> ago(datetime(2026, 1, 4), datetime(2026, 1, 1))
    'in 3 d'
    """
    seconds = (now - then).total_seconds()
    length = span(timedelta(seconds=abs(seconds)))
    if abs(seconds) < 1:
        return "now"
    return f"{length} ago" if seconds > 0 else f"in {length}"


def span(length: timedelta) -> str:
    """A length of time, short, for a person.

    >>> span(timedelta(minutes=90)), span(timedelta(hours=7)), span(timedelta(seconds=4))
    ('90 min', '7 h', '4 s')
    """
    seconds = length.total_seconds()
    for limit, unit, name in _STEPS:
        if seconds >= limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def ratio(value: float | None) -> str:
    """A figure between 0 and 1 without the leading zero; a dash when there is none.

    >>> ratio(0.9456), ratio(1.0), ratio(None), ratio(0.9999)
    ('.946', '1.00', '–', '1.00')
    """
    if value is None:
        return "–"
    text = f"{value:.3f}"
    return f"{value:.2f}" if text.startswith("1") else text.removeprefix("0")


def percent(value: float | None) -> str:
    """A share in percent; a dash when there is none.

    >>> percent(0.0534), percent(None)
    ('5.3 %', '–')
    """
    return "–" if value is None else f"{100 * value:.1f} %"


def signed(value: float | None) -> str:
    """A difference with its sign; a dash when there is none.

    >>> signed(0.12), signed(-0.5), signed(None)
    ('+0.120', '-0.500', '–')
    """
    return "–" if value is None else f"{value:+.3f}"


def bar(value: float | None, lower: float | None, upper: float | None) -> Bar | None:
    """Where a figure and its interval lie; None without an interval.

    >>> bar(0.5, 0.25, 0.75)
    Bar(left=25.0, width=50.0, at=50.0)
    """
    if lower is None or upper is None:
        return None
    left, right = (100 * min(1.0, max(0.0, end)) for end in (lower, upper))
    at = None if value is None else round(100 * min(1.0, max(0.0, value)), 2)
    return Bar(round(left, 2), round(max(0.8, right - left), 2), at)


def side(value: float, most: float) -> Side:
    """A contribution from the middle to the right or, when negative, to the left; `most` fills a side.

    >>> side(1.0, 2.0), side(-2.0, 2.0)
    (Side(left=50.0, width=25.0), Side(left=0.0, width=50.0))
    """
    width = round(50.0 * min(abs(value) / most, 1.0), 2)
    return Side(50.0 if value >= 0 else 50.0 - width, width)


def share(evidence: float | None, alarm: float | None) -> float | None:
    """How far the evidence has come towards the alarm, in percent; None when no test runs.

    >>> share(1.5, 3.0), share(9.0, 3.0), share(-2.0, 3.0), share(None, 3.0)
    (50.0, 100.0, 0.0, None)
    """
    if evidence is None or alarm is None or alarm <= 0:
        return None
    return round(100 * min(1.0, max(0.0, evidence / alarm)), 1)


def spark(values: Sequence[float]) -> str:
    """The points of a small line, 100 wide and 20 high, 1 at the top and 0.4 or the least at the bottom.

    >>> spark([1.0, 0.7, 1.0])
    '0,1 50,10 100,1'
    """
    if len(values) < 2:
        return ""
    low = min(0.4, *values)
    step = 100 / (len(values) - 1)
    return " ".join(f"{n * step:.4g},{1 + 18 * (1 - value) / (1 - low):.3g}" for n, value in enumerate(values))


def path(name: str) -> str:
    """A name as one segment of a path, whatever is in it.

    >>> path("a/b?c")
    'a%2Fb%3Fc'
    """
    return quote(name, safe="")
