"""`sidwatch status` is quick, for it imports nothing heavy."""

from __future__ import annotations

from statistics import median

import pytest

from tests.acceptance.command import sidwatch
from tests.acceptance.conftest import Report
from tests.acceptance.demo import CONFIG, DemoRun

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

HEAVY = {"torch", "torchvision", "open_clip", "pyarrow", "sklearn", "scipy", "river", "PIL", "uvicorn", "fastapi"}


def test_status_on_a_store_with_data_imports_nothing_heavy(undisturbed: DemoRun, report: Report) -> None:
    """The second of the promise is the machine's; what it is spent on is ours."""
    asked = {"PYTHONPROFILEIMPORTTIME": "1"}
    done = sidwatch("status", "--json", "--config", CONFIG, folder=undisturbed.folder, env=asked)
    assert done.json["champion"]["id"] == undisturbed.summary["champion"]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.err.splitlines()}
    assert "daemon" in imported
    assert imported & HEAVY == set()
    timings = [sidwatch("status", "--config", CONFIG, folder=undisturbed.folder).seconds for _ in range(5)]
    report("", f"status: median of five starts {median(timings):.2f} s (promised: under 1 s)")
