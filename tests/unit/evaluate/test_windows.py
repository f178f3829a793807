"""Windows over a subject's pictures, and what they say of all families together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.evaluate.windows import Window, windows
from daemon.figures import Summary, latest_challenger, summaries
from daemon.model import EvaluationRow, Subject
from daemon.settings import WindowSettings
from daemon.units import parse_duration

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def days_ago(*days: float) -> list[datetime]:
    return [NOW - timedelta(days=day) for day in days]


def test_a_window_counts_the_newest_pictures_of_a_subject() -> None:
    delivered = days_ago(40, 31, 29, 5, 0)
    rows = np.array([0, 1, 2, 4])
    assert Window("held_out").count(delivered, rows, NOW) == 4
    assert Window("last_3", last=3).count(delivered, rows, NOW) == 3
    assert Window("last_9", last=9).count(delivered, rows, NOW) == 4
    assert Window("last_30d", within=timedelta(days=30)).count(delivered, rows, NOW) == 2
    assert Window("last_30d", within=timedelta(days=30)).count(delivered, rows, NOW + timedelta(days=10)) == 1


@given(st.lists(st.floats(0, 100), max_size=20), st.integers(1, 25), st.floats(0.1, 110))
def test_a_window_never_holds_more_than_there_is_and_grows_with_its_length(
    ages: list[float], last: int, days: float
) -> None:
    delivered = days_ago(*sorted(ages, reverse=True))
    rows = np.arange(len(delivered))
    by_count = [Window("", last=n).count(delivered, rows, NOW) for n in (last, last + 1)]
    by_time = [Window("", within=timedelta(days=d)).count(delivered, rows, NOW) for d in (days, days + 1)]
    assert by_count == [min(last, len(ages)), min(last + 1, len(ages))]
    assert by_time[0] <= by_time[1] <= len(ages)


def test_windows_are_named_by_basis_and_length() -> None:
    names = [window.name for window in windows("held_out", [200, 50], [timedelta(days=30), timedelta(hours=12)])]
    assert names == ["held_out", "last_200", "last_50", "last_30d", "last_12h"]


@pytest.mark.parametrize("bad", [{"last": [200, 200]}, {"within": ["24h", "1d"]}, {"within": ["0d"]}, {"last": [5]}])
def test_windows_that_cannot_be_told_apart_or_hold_nothing_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WindowSettings(**bad)
    assert WindowSettings(last=(50, 200), within=(parse_duration("7d"),)).last == (50, 200)


def row(name: str, ap: float | None, n: int, profile: Any = "raw", kind: Any = "family") -> EvaluationRow:
    rate = 0.01 * n if kind == "source" else None
    return EvaluationRow("v1", Subject(kind, name), profile, "last_200", NOW, n, n, ap=ap, false_positive_rate=rate)


def test_a_summary_has_the_unweighted_mean_the_worst_and_the_mean_false_positive_rate() -> None:
    rows = [
        row("a", 0.9, 200),
        row("b", 0.7, 25),
        row("c", 0.5, 24),
        row("few", None, 9),
        row("x", None, 10, kind="source"),
        row("y", None, 30, kind="source"),
        row("few", None, 9, kind="source"),
        row("a", 0.6, 30, profile="laundered"),
    ]
    raw, laundered = summaries(rows, min_samples=10, min_samples_worst=25)
    assert raw == Summary("v1", "last_200", "raw", 3, pytest.approx(0.7), "b", 0.7, pytest.approx(0.2))
    assert (laundered.profile, laundered.mean_ap, laundered.false_positive_rate) == ("laundered", 0.6, None)
    (nothing,) = summaries([row("few", None, 9)], 10, 25)
    assert (nothing.families, nothing.mean_ap, nothing.worst_family) == (0, None, None)


def test_the_latest_challenger_is_the_newest_that_was_judged_against_this_champion_and_not_promoted() -> None:
    def version(name: str, parent: str | None, state: str, day: int) -> Any:
        return SimpleNamespace(id=name, parent=parent, state=state, created_at=NOW + timedelta(days=day))

    champion = version("v2", "v1", "promoted", 1)
    others = [
        version("v3", "v2", "rejected", 2),
        version("v4", "v2", "held", 3),
        version("v5", "v2", "challenger", 4),  # not judged yet
        version("v6", "v1", "rejected", 5),  # of another champion
        version("v7", "v2", "promoted", 6),  # was champion, and was rolled back
    ]
    every = {one.id: one for one in (champion, *others)}
    registry = cast(Any, SimpleNamespace(outlines=lambda: list(every.values()), version=every.__getitem__))
    found = latest_challenger(registry, champion)
    assert found is not None and found.id == "v4"
    assert latest_challenger(registry, cast(Any, version("v9", None, "promoted", 0))) is None
