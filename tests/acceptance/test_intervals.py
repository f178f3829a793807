"""The intervals hold the truth as often as they say; seeded, a short version of benchmarks/coverage.py."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Report

ROOT = Path(__file__).parents[2]
COVERAGE: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks/coverage.py"), run_name="coverage")
CELLS = COVERAGE["cells"](1000, quick=True)


@pytest.mark.accept
@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"n={c.n} reals={c.m} per_prompt={c.per_prompt} ap={c.ap}")
def test_of_a_thousand_95_percent_intervals_93_to_97_in_a_hundred_hold_the_truth(cell: Any, report: Report) -> None:
    found = COVERAGE["measure"](cell)
    report(
        f"coverage at n={cell.n}, {cell.m} reals, {cell.per_prompt} fakes per prompt, AP {cell.ap}: "
        f"AP {found.ap:.3f}, AUROC {found.auroc:.3f}, recall {found.recall:.3f}"
    )
    assert 0.93 <= found.ap <= 0.97
    assert found.auroc >= 0.95  # it holds at every sample size at once, so at one of them it is wide
    assert found.recall >= 0.93


@pytest.mark.accept
def test_the_coverage_that_the_docs_print_is_what_the_benchmark_gives() -> None:
    page = (ROOT / "docs/explanation-intervals.md").read_text(encoding="utf-8")
    printed = [line for line in page.splitlines() if line.startswith("| 100 | 300 | each its own |")]
    assert len(printed) == 1
    (cell,) = (
        cell
        for cell in COVERAGE["cells"](2000, quick=False)
        if (cell.n, cell.m, cell.per_prompt, cell.ap) == (100, 300, 1, 0.97)
    )
    found = COVERAGE["measure"](cell)
    assert f"{found.ap:.3f} ({found.bootstrap:.3f})" in printed[0]
