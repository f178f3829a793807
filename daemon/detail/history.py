"""Figures over time: of each measurement, what the version in force at the time made of the families."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from daemon.detail.views import MeanPointView, PointView, ReignView
from daemon.model import AuditRow, PastFigure

_COMES_INTO_FORCE = ("promote", "rollback")


@dataclass(frozen=True, slots=True)
class History:
    """The champions and what was measured of them."""

    reigns: list[ReignView]
    mean: list[MeanPointView]
    families: dict[str, list[PointView]]

    def recent(self, family: str, points: int) -> list[float]:
        """The newest APs of a family, oldest first, for a small line."""
        found = [point.ap for point in self.families.get(family, []) if point.ap is not None]
        return found[-points:]


def reigns_of(audit: Iterable[AuditRow]) -> list[ReignView]:
    """Who came into force when, oldest first."""
    return [
        ReignView(at=row.at, version=row.version, action=row.action)
        for row in audit
        if row.action in _COMES_INTO_FORCE and row.version is not None
    ]


def history_of(figures: Sequence[PastFigure], audit: Iterable[AuditRow]) -> History:
    """Put it together.

    figures: of every version, oldest first. At the moment of a promotion both versions count: the one shows what
    the other mends.
    """
    reigns = reigns_of(audit)
    counted = [figure for figure in figures if _was_in_force(figure.version, figure.at, reigns)]
    # Of two measurements of one moment the earlier champion's comes first.
    since = {(reign.version, reign.at): number for number, reign in enumerate(reigns)}
    first = {version: min(n for (v, _), n in since.items() if v == version) for version, _ in since}
    counted.sort(key=lambda figure: (figure.at, first[figure.version]))
    families: dict[str, list[PointView]] = {}
    together: dict[tuple[datetime, str], list[float]] = {}
    for figure in counted:
        point = PointView(
            at=figure.at,
            version=figure.version,
            ap=figure.ap,
            lower=figure.ap_lower,
            upper=figure.ap_upper,
            recall=figure.recall,
            n=figure.n,
        )
        families.setdefault(figure.family, []).append(point)
        if figure.ap is not None:
            together.setdefault((figure.at, figure.version), []).append(figure.ap)
    mean = [
        MeanPointView(at=at, version=version, mean_ap=fmean(aps), worst_ap=min(aps), families=len(aps))
        for (at, version), aps in together.items()
    ]
    return History(reigns, mean, families)


def _was_in_force(version: str, at: datetime, reigns: Sequence[ReignView]) -> bool:
    for number, reign in enumerate(reigns):
        until = reigns[number + 1].at if number + 1 < len(reigns) else None
        if reign.version == version and reign.at <= at and (until is None or at <= until):
            return True
    return False
