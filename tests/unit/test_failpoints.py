"""A failpoint ends the process by SIGKILL at the passage that was asked for, and does nothing otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from daemon.failpoints import failpoint
for number in range(3):
    print(number, flush=True)
    failpoint("a")
    failpoint("b")
"""


def run(**env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [("a", -signal.SIGKILL, "0"), ("b:2", -signal.SIGKILL, "01"), ("a:4", 0, "012"), ("c", 0, "012"), ("", 0, "012")],
)
def test_it_ends_the_process_at_that_passage(wanted: str, status: int, said: str) -> None:
    assert run(SIDWATCH_FAILPOINT=wanted) == (status, said)


def test_a_trace_names_every_passage_and_kills_nobody(tmp_path: Path) -> None:
    assert run(SIDWATCH_FAILPOINT_TRACE=str(tmp_path / "trace")) == (0, "012")
    assert (tmp_path / "trace").read_text().split() == ["a", "b"] * 3


def test_without_the_variables_it_does_nothing() -> None:
    assert run() == (0, "012")
