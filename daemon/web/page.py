"""The status page: the snapshot made into HTML on the server. Names come from outside, so all text is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from daemon.views import EpisodeView, FamilyFigures, FamilyView, SourceView, Status

PROFILES: Final = ("raw", "laundered")
SHOWN: Final = 200  # rows of one table; /v1/ has them all
_ORDER: Final = {"inverted": 0, "evading": 1, "degraded": 2, "misjudged": 2, "insufficient": 4}
_STEPS: Final = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (120, 60, "min"))


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure and its interval on a scale from 0 to 1, in percent of the bar's width."""

    left: float  # lower end
    width: float  # of the interval
    at: float | None  # the figure itself


def render(status: Status, *, simulated: bool) -> str:
    """The page of one snapshot. simulated: say on the page that the figures are not of real pictures."""
    families = sorted(status.families, key=_family_order)
    sources = sorted(status.real_sources, key=lambda source: (_ORDER.get(source.state, 3), source.name))
    return (
        _environment()
        .get_template("page.html")
        .render(
            status=status,
            simulated=simulated or status.service.simulated,
            profiles=PROFILES,
            families=families[:SHOWN],
            families_left=max(0, len(families) - SHOWN),
            sources=sources[:SHOWN],
            sources_left=max(0, len(sources) - SHOWN),
            evading=[family for family in families if family.state in ("evading", "inverted")],
            standing=[alarm for alarm in status.alarms if alarm.raised_at is not None],
            misjudged=[source for source in sources if source.state == "misjudged"],
            open_episodes=[episode for episode in status.episodes if is_open(episode)],
            now=status.service.now,
        )
    )


def render_waiting(reason: str) -> str:
    """The page while there is no snapshot yet. reason: one line."""
    return _environment().get_template("waiting.html").render(reason=reason)


def is_open(episode: EpisodeView) -> bool:
    """Whether the episode still wants something: neither recovered nor closed by a person."""
    return not episode.recovered and episode.state not in ("recovered", "closed")


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


def share(evidence: float | None, alarm: float | None) -> float | None:
    """How far the evidence has come towards the alarm, in percent; None when no test runs.

    >>> share(1.5, 3.0), share(9.0, 3.0), share(-2.0, 3.0), share(None, 3.0)
    (50.0, 100.0, 0.0, None)
    """
    if evidence is None or alarm is None or alarm <= 0:
        return None
    return round(100 * min(1.0, max(0.0, evidence / alarm)), 1)


def _family_order(family: FamilyView) -> tuple[int, float, str]:
    raw: FamilyFigures | None = family.profiles.get("raw")
    ap = raw.ap if raw is not None and raw.ap is not None else 2.0
    return _ORDER.get(family.state, 3), ap, family.name


def _figures(view: FamilyView | SourceView, profile: str) -> object | None:
    return view.profiles.get(profile)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("daemon.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ago=ago, ratio=ratio, percent=percent)
    environment.globals.update(bar=bar, share=share, figures=_figures)
    return environment
