"""Rendering: a report as Markdown, or as one HTML file that needs nothing else. Names come from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from daemon.detail.views import MeanPointView, ReignView
from daemon.registry.markdown import plain, table
from daemon.report.views import EvadedView, ReportView
from daemon.web.format import percent, ratio, span

_WIDTH, _HEIGHT, _LEFT, _FOOT = 900.0, 220.0, 40.0, 24.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A drawing of mAP over time, in its own units."""

    mean: str  # points of a polyline
    worst: str
    ticks: list[tuple[float, str]]  # y, label
    marks: list[tuple[float, str]]  # x, version
    first: str
    last: str


def as_markdown(report: ReportView) -> str:
    """CommonMark with tables; equal reports, equal text."""
    parts = [
        f"# sidwatch report, {report.since:%Y-%m-%d} to {report.until:%Y-%m-%d}",
        *(["Pictures or clock are simulated: this says nothing about real generators."] if report.simulated else []),
        table(["", ""], _summary(report)),
        "## What was released",
        table(
            ["family", "kind", "released", "first seen", "pictures", "state", "AP"],
            [
                (
                    one.family,
                    one.kind or "",
                    one.released or "",
                    f"{one.first_seen:%Y-%m-%d}",
                    one.samples,
                    one.state,
                    interval(one.ap, one.ap_lower, one.ap_upper),
                )
                for one in report.released
            ],
        )
        if report.released
        else "No family came in for the first time.",
        "## What evaded, and how fast it was noticed and repaired",
        table(
            ["family", "alarmed", "votes", "noticed after", "learned after", "recovered after", "AP", "state"],
            [_row(one) for one in report.evaded],
        )
        if report.evaded
        else "No family evaded.",
        "## What was decided, and why",
        table(
            ["when", "version", "decision", "by", "reason"],
            [
                (f"{d.at:%Y-%m-%d %H:%M}", d.version, d.decision.replace("_", " "), d.actor, d.reason)
                for d in report.decisions
            ],
        )
        if report.decisions
        else "Nothing was decided.",
        "## Photographs called synthetic",
        table(
            ["real source", "state", "rate", "n"],
            [(r.source, r.state, rate(r.rate, r.lower, r.upper), r.n) for r in report.rates],
        )
        if report.rates
        else "There is no real source yet.",
        "## Open risks",
        "\n".join(f"- {plain(risk)}" for risk in report.risks) or "None that the service knows of.",
    ]
    return "\n\n".join(parts) + "\n"


def as_html(report: ReportView) -> str:
    """One file; no script, and nothing is fetched."""
    return (
        _environment()
        .get_template("report.html")
        .render(report=report, curve=curve(report.history, report.reigns), summary=_summary(report))
    )


def curve(points: Sequence[MeanPointView], reigns: Sequence[ReignView]) -> Curve | None:
    """Where the lines run; None with fewer than two moments."""
    if not points or points[0].at == points[-1].at:
        return None
    first, last = points[0].at.timestamp(), points[-1].at.timestamp()
    low = min([0.4, *(point.worst_ap for point in points)])

    def x(at: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT) * (at - first) / (last - first), 1)

    def y(value: float) -> float:
        return round(8 + (_HEIGHT - _FOOT - 8) * (1 - value) / (1 - low), 1)

    return Curve(
        mean=" ".join(f"{x(point.at.timestamp())},{y(point.mean_ap)}" for point in points),
        worst=" ".join(f"{x(point.at.timestamp())},{y(point.worst_ap)}" for point in points),
        ticks=[(y(value), ratio(value)) for value in (1.0, (1 + low) / 2, low)],
        marks=[
            (x(reign.at.timestamp()), reign.version.partition("-")[0])
            for reign in reigns
            if first <= reign.at.timestamp() <= last
        ],
        first=f"{points[0].at:%Y-%m-%d}",
        last=f"{points[-1].at:%Y-%m-%d}",
    )


def interval(value: float | None, lower: float | None, upper: float | None) -> str:
    """A figure with its interval, as far as there are any."""
    if value is None:
        return "too few"
    return ratio(value) if lower is None or upper is None else f"{ratio(value)} ({ratio(lower)} to {ratio(upper)})"


def rate(value: float | None, lower: float | None, upper: float | None) -> str:
    """The same in percent."""
    if value is None:
        return "too few"
    return (
        percent(value) if lower is None or upper is None else f"{percent(value)} ({percent(lower)} to {percent(upper)})"
    )


def length(seconds: float | None) -> str:
    """A length of time, or a dash."""
    return "–" if seconds is None else span(timedelta(seconds=seconds))


def _summary(report: ReportView) -> list[tuple[str, str]]:
    aim = f", aim {percent(report.false_positive_aim)}" if report.false_positive_aim is not None else ""
    worst = f"{ratio(report.worst_ap)} ({report.worst_family})" if report.worst_family else "–"
    return [
        ("champion", report.champion or "none"),
        ("encoder", report.encoder),
        (
            "mAP",
            f"{ratio(report.mean_ap_first)} at first, {ratio(report.mean_ap)} now; "
            f"laundered {ratio(report.mean_ap_laundered)}",
        ),
        ("worst family", worst),
        ("photographs called synthetic", f"{percent(report.false_positive_rate)}{aim}"),
        ("families released", str(len(report.released))),
        ("episodes", str(len(report.evaded))),
        ("noticed (median)", f"{length(report.seconds_to_notice)}, {report.votes_to_alarm or '–'} votes"),
        ("learned after the alarm (median)", length(report.seconds_to_learn)),
        ("recovered after the alarm (median)", length(report.seconds_to_recover)),
        (
            "done by people",
            ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in report.by_people.items()) or "nothing",
        ),
    ]


def _row(one: EvadedView) -> tuple[object, ...]:
    return (
        one.family,
        f"{one.alarmed_at:%Y-%m-%d %H:%M}",
        one.votes,
        length(one.noticed_after),
        length(one.learned_after),
        length(one.recovered_after),
        f"{ratio(one.ap_before)} -> {ratio(one.ap_after)}",
        one.state,
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("daemon.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(interval=interval, rate=rate, row=_row)
    return environment
