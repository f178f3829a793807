"""`sidwatch status` is quick, for it imports nothing heavy."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median

import pytest

from tests.acceptance.command import sidwatch
from tests.acceptance.conftest import Report
from tests.acceptance.demo import CONFIG, DemoRun

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

HEAVY = {"torch", "torchvision", "open_clip", "pyarrow", "sklearn", "scipy", "river", "PIL", "uvicorn", "fastapi"}


def imported(err: str) -> set[str]:
    """The libraries that a command imported, by what PYTHONPROFILEIMPORTTIME had it say."""
    found = {line.rpartition("|")[2].strip().partition(".")[0] for line in err.splitlines()}
    assert "daemon" in found
    return found


def test_status_on_a_store_with_data_imports_nothing_heavy(undisturbed: DemoRun, report: Report) -> None:
    """The second of the promise is the machine's; what it is spent on is ours."""
    asked = {"PYTHONPROFILEIMPORTTIME": "1"}
    done = sidwatch("status", "--json", "--config", CONFIG, folder=undisturbed.folder, env=asked)
    assert done.json["champion"]["id"] == undisturbed.summary["champion"]
    assert imported(done.err) & HEAVY == set()
    timings = [sidwatch("status", "--config", CONFIG, folder=undisturbed.folder).seconds for _ in range(5)]
    report("", f"status: median of five starts {median(timings):.2f} s (promised: under 1 s)")


def test_a_rollback_imports_nothing_that_computes(undisturbed: DemoRun, report: Report, tmp_path: Path) -> None:
    """An operator waits for it; that it takes under 2 s is the machine's, what it is spent on is ours."""
    shutil.copytree(undisturbed.folder / CONFIG.parent, tmp_path / CONFIG.parent)
    rollback = ("models", "rollback", "--reason", "a test", "--config", CONFIG)
    asked = {"PYTHONPROFILEIMPORTTIME": "1"}
    done = sidwatch(*rollback, "--json", folder=tmp_path, env=asked)
    assert done.json["previous"] == undisturbed.summary["champion"] != done.json["version"]
    assert imported(done.err) & (HEAVY | {"prometheus_client", "httpx"}) == set()

    timings = [sidwatch(*rollback, folder=tmp_path).seconds for _ in range(5)]  # each goes back on the one before
    report(
        "", f"models rollback: median of five {median(timings):.2f} s, longest {max(timings):.2f} (promised: under 2 s)"
    )
    sidwatch("verify", "--config", CONFIG, folder=tmp_path)
