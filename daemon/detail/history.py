"""Figures over time: of each measurement, what the version in force at the time made of the families."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from daemon.detail.views import MeanPointView, PointView, ReignView
from daemon.model import AuditRow, PastFigure, PastMean

_COMES_INTO_FORCE = ("promote", "rollback")


class _Measured(Protocol):
    @property
    def version(self) -> str: ...
    @property
    def at(self) -> datetime: ...


Measured = TypeVar("Measured", bound=_Measured)


@dataclass(frozen=True, slots=True)
class History:
    """The champions, and what was measured of all families together."""

    reigns: list[ReignView]
    mean: list[MeanPointView]


def reigns_of(audit: Iterable[AuditRow]) -> list[ReignView]:
    """Who came into force when, oldest first."""
    return [
        ReignView(at=row.at, version=row.version, action=row.action)
        for row in audit
        if row.action in _COMES_INTO_FORCE and row.version is not None
    ]


def versions_of(reigns: Sequence[ReignView]) -> list[str]:
    """Every version that ever was in force, once."""
    return list(dict.fromkeys(reign.version for reign in reigns))


def history_of(means: Sequence[PastMean], reigns: Sequence[ReignView]) -> History:
    """Put it together. means: oldest first."""
    mean = [MeanPointView(**one._asdict()) for one in in_force(means, reigns)]
    return History(list(reigns), mean)


def points_of(figures: Sequence[PastFigure], reigns: Sequence[ReignView]) -> list[PointView]:
    """One family over time. figures: of that family, oldest first."""
    return [
        PointView(
            at=one.at,
            version=one.version,
            ap=one.ap,
            lower=one.ap_lower,
            upper=one.ap_upper,
            recall=one.recall,
            n=one.n,
        )
        for one in in_force(figures, reigns)
    ]


def recent_of(figures: Sequence[PastFigure], reigns: Sequence[ReignView], points: int) -> dict[str, list[float]]:
    """The newest APs of each family, oldest first, for a small line. figures: oldest first."""
    found: dict[str, list[float]] = {}
    for one in in_force(figures, reigns):
        if one.ap is not None:
            found.setdefault(one.family, []).append(one.ap)
    return {family: aps[-points:] for family, aps in found.items()}


def in_force(measured: Iterable[Measured], reigns: Sequence[ReignView]) -> list[Measured]:
    """What the champion of each time was measured to do, oldest first.

    measured: of any versions. At the moment of a promotion both versions count: the one shows what the other mends.
    Of two measurements of one moment the earlier champion's comes first.
    """
    spans: dict[str, list[tuple[datetime, datetime | None]]] = {}
    first: dict[str, int] = {}
    for number, reign in enumerate(reigns):
        until = reigns[number + 1].at if number + 1 < len(reigns) else None
        spans.setdefault(reign.version, []).append((reign.at, until))
        first.setdefault(reign.version, number)
    counted = [
        one
        for one in measured
        if any(since <= one.at and (until is None or one.at <= until) for since, until in spans.get(one.version, ()))
    ]
    return sorted(counted, key=lambda one: (one.at, first[one.version]))
