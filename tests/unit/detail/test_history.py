from __future__ import annotations

from datetime import UTC, datetime, timedelta

from daemon.detail.history import history_of, points_of, recent_of, reigns_of, versions_of
from daemon.model import AuditRow, PastFigure, PastMean

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def row(number: int, day: int, action: str, version: str) -> AuditRow:
    return AuditRow(number, DAY + timedelta(days=day), "gate", action, version, None, "", {}, "", "")


def figure(version: str, family: str, day: int, ap: float | None) -> PastFigure:
    return PastFigure(version, family, DAY + timedelta(days=day), 30, ap, ap, ap, ap)


AUDIT = [row(1, 0, "promote", "v1"), row(2, 3, "hold", "v2"), row(3, 4, "promote", "v2"), row(4, 6, "rollback", "v1")]
REIGNS = reigns_of(AUDIT)


def mean(version: str, day: int, ap: float) -> PastMean:
    return PastMean(version, DAY + timedelta(days=day), ap, ap - 0.1, 2)


def test_only_the_champion_of_the_time_counts() -> None:
    figures = [figure(version, "flux", day, 0.9) for day in range(8) for version in ("v1", "v2")]
    shown = [(point.version, (point.at - DAY).days) for point in points_of(figures, REIGNS)]
    before = [("v1", day) for day in range(5)]
    assert shown == [*before, ("v2", 4), ("v2", 5), ("v1", 6), ("v2", 6), ("v1", 7)]
    means = history_of([mean(version, day, 0.9) for day in range(8) for version in ("v1", "v2")], REIGNS).mean
    assert [(one.version, (one.at - DAY).days) for one in means] == shown


def test_a_small_line_ends_with_the_newest_and_skips_what_had_too_few_samples() -> None:
    aps = [0.5, None, 0.7, 0.8]
    figures = [figure("v1", "flux", day, ap) for day, ap in enumerate(aps)] + [figure("v1", "small", 1, None)]
    assert recent_of(figures, REIGNS, 2) == {"flux": [0.7, 0.8]}
    assert recent_of(figures, REIGNS, 9) == {"flux": [0.5, 0.7, 0.8]}


def test_who_came_into_force_is_told_in_order_and_a_held_version_is_not() -> None:
    assert [(reign.version, reign.action) for reign in REIGNS] == [
        ("v1", "promote"),
        ("v2", "promote"),
        ("v1", "rollback"),
    ]
    assert versions_of(REIGNS) == ["v1", "v2"]
