from __future__ import annotations

from datetime import UTC, datetime, timedelta

from daemon.detail.history import history_of
from daemon.model import AuditRow, PastFigure

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def row(number: int, day: int, action: str, version: str) -> AuditRow:
    return AuditRow(number, DAY + timedelta(days=day), "gate", action, version, None, "", {}, "", "")


def figure(version: str, family: str, day: int, ap: float | None) -> PastFigure:
    return PastFigure(version, family, DAY + timedelta(days=day), 30, ap, ap, ap, ap)


AUDIT = [row(1, 0, "promote", "v1"), row(2, 3, "hold", "v2"), row(3, 4, "promote", "v2"), row(4, 6, "rollback", "v1")]


def test_only_the_champion_of_the_time_counts() -> None:
    figures = [figure(version, "flux", day, 0.9) for day in range(8) for version in ("v1", "v2")]
    points = history_of(figures, AUDIT).families["flux"]
    shown = [(point.version, (point.at - DAY).days) for point in points]
    before = [("v1", day) for day in range(5)]
    assert shown == [*before, ("v2", 4), ("v2", 5), ("v1", 6), ("v2", 6), ("v1", 7)]


def test_the_mean_is_over_the_families_that_have_a_figure() -> None:
    figures = [figure("v1", "flux", 1, 0.6), figure("v1", "sdxl", 1, 1.0), figure("v1", "small", 1, None)]
    found = history_of(figures, AUDIT)
    (mean,) = found.mean
    assert (round(mean.mean_ap, 9), mean.worst_ap, mean.families) == (0.8, 0.6, 2)
    assert found.recent("small", 10) == []
    assert found.recent("sdxl", 10) == [1.0]


def test_who_came_into_force_is_told_in_order_and_a_held_version_is_not() -> None:
    assert [(reign.version, reign.action) for reign in history_of([], AUDIT).reigns] == [
        ("v1", "promote"),
        ("v2", "promote"),
        ("v1", "rollback"),
    ]
