"""Plots: what the script in the page draws, and what it says in words for those who do not see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from daemon.detail.views import EvidenceView, HistogramView, MeanPointView, PointView, ReignView
from daemon.web.format import ratio

Plot = dict[str, Any]


def _digits(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _seconds(moment: datetime) -> float:
    return round(moment.timestamp(), 1)


def _marks(reigns: Sequence[ReignView], since: datetime | None) -> list[dict[str, Any]]:
    return [
        {"x": _seconds(reign.at), "label": reign.version.partition("-")[0]}
        for reign in reigns
        if since is None or reign.at >= since
    ]


def mean_plot(points: Sequence[MeanPointView], reigns: Sequence[ReignView]) -> Plot:
    """mAP and the worst family over time, with the versions that came into force."""
    last = points[-1] if points else None
    words = "nothing is measured yet"
    if last is not None:
        words = (
            f"mean average precision over {len(points)} measurements, now {ratio(last.mean_ap)}, "
            f"lowest {ratio(min(point.mean_ap for point in points))}; worst family now {ratio(last.worst_ap)}"
        )
    return {
        "kind": "time",
        "x": [_seconds(point.at) for point in points],
        "series": [
            {"label": "mAP", "y": [_digits(point.mean_ap) for point in points], "colour": "accent"},
            {"label": "worst family", "y": [_digits(point.worst_ap) for point in points], "colour": "bad"},
        ],
        "marks": _marks(reigns, points[0].at if points else None),
        "range": [min([0.4, *(point.worst_ap for point in points)]), 1],
        "words": words,
    }


def family_plot(points: Sequence[PointView], reigns: Sequence[ReignView]) -> Plot:
    """A family's AP with its interval over time, and its recall."""
    measured = [point for point in points if point.ap is not None]
    words = "not measured yet"
    if measured:
        last = measured[-1]
        interval = f"{ratio(last.lower)} to {ratio(last.upper)}"
        words = f"average precision over {len(measured)} measurements, now {ratio(last.ap)} ({interval})"
    return {
        "kind": "time",
        "x": [_seconds(point.at) for point in measured],
        "series": [
            {"label": "recall", "y": [_digits(point.recall) for point in measured], "colour": "plain"},
            {
                "label": "AP",
                "y": [_digits(point.ap) for point in measured],
                "lower": [_digits(point.lower) for point in measured],
                "upper": [_digits(point.upper) for point in measured],
                "colour": "accent",
            },
        ],
        "marks": _marks(reigns, measured[0].at if measured else None),
        "range": [0, 1],
        "words": words,
    }


def histogram_plot(view: HistogramView, family: str, threshold: float | None) -> Plot:
    """The champion's scores of a family and of the reals."""
    centres = [(left + right) / 2 for left, right in zip(view.edges, view.edges[1:], strict=False)]
    marks = [] if threshold is None else [{"x": _digits(threshold), "label": "threshold"}]
    words = f"scores of {view.pictures} pictures of {family} and of {view.real_pictures} real ones"
    if threshold is not None:
        above = sum(share for left, share in zip(view.edges, view.family, strict=False) if left >= threshold)
        words += f"; about {100 * above:.0f} % of the family lie above the threshold"
    return {
        "kind": "bars",
        "x": [_digits(centre) for centre in centres],
        "series": [
            {"label": "real", "y": [_digits(share) for share in view.reals], "colour": "plain"},
            {"label": family, "y": [_digits(share) for share in view.family], "colour": "accent"},
        ],
        "marks": marks,
        "across": [_digits(view.edges[0]), _digits(view.edges[-1])],
        "range": None,
        "words": words,
    }


def evidence_plot(view: EvidenceView) -> Plot:
    """How the evidence against a family's detection grew, vote by vote."""
    return {
        "kind": "line",
        "x": list(range(len(view.log10_evidence))),
        "series": [
            {"label": "evidence, log10", "y": [_digits(value) for value in view.log10_evidence], "colour": "accent"}
        ],
        "lines": [{"y": _digits(view.alarm_log10), "label": "alarm"}],
        "marks": [],
        "range": [
            _digits(min(0.0, *view.log10_evidence) - 0.2),
            _digits(max(view.alarm_log10, *view.log10_evidence) + 0.2),
        ],
        "words": (
            f"evidence after {len(view.log10_evidence) - 1} steps, now {view.log10_evidence[-1]:.1f} "
            f"of {view.alarm_log10:.1f} at which it alarms"
        ),
    }
