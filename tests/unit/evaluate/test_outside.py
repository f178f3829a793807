"""Outside detectors are measured from the scores that were delivered."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from daemon.context import Context
from daemon.errors import BadInputError
from daemon.evaluate.average_precision import average_precision
from daemon.evaluate.outside import measure_outside
from daemon.model import ScoredRow, Subject
from daemon.settings import Settings

AT = datetime(2026, 1, 1, tzinfo=UTC)
REAL = Subject("source", "photos")


def rows_of(scores: dict[Subject, list[float]]) -> list[ScoredRow]:
    flat = [(subject, score) for subject, values in scores.items() for score in values]
    return [ScoredRow(i, i, subject, f"g{i}", score, False, AT) for i, (subject, score) in enumerate(flat)]


def context_with(scores: dict[Subject, list[float]]) -> Context:
    samples = SimpleNamespace(scored_rows=lambda version, profile: rows_of(scores))
    fake: Any = SimpleNamespace(samples=samples, settings=Settings(), clock=SimpleNamespace(now=lambda: AT))
    return cast(Context, fake)


def test_an_outside_detector_gets_ap_and_auroc_per_family_and_no_recall() -> None:
    reals = [0.1 * i for i in range(20)]
    fakes = [0.5 + 0.1 * i for i in range(12)]
    (row,) = measure_outside(context_with({REAL: reals, Subject("family", "sdxl"): fakes}), "outside:other")
    assert (row.version, row.subject.name, row.n) == ("outside:other", "sdxl", 12)
    assert row.ap == pytest.approx(average_precision(reals, fakes))
    assert row.auroc is not None and 0.5 < row.auroc < 1
    assert row.recall is None


def test_below_the_sample_floor_there_is_no_figure() -> None:
    rows = measure_outside(context_with({REAL: [0.0] * 20, Subject("family", "new"): [1.0] * 9}), "outside:other")
    assert [(row.n, row.ap) for row in rows] == [(9, None)]


def test_a_detector_that_scored_one_side_only_is_a_clear_error() -> None:
    with pytest.raises(BadInputError, match="outside:other has no scores of both"):
        measure_outside(context_with({REAL: [0.0] * 20}), "outside:other")
