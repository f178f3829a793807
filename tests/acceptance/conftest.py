"""Where the real pictures are, and a place for the figures that acceptance prints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import ROOT

FIGURES: list[str] = []


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real pictures; skips without it, fails without it when it is required."""
    given = os.environ.get("SIDWATCH_TEST_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not (folder / "images" / "manifest.csv").is_file():
        if os.environ.get("SIDWATCH_REQUIRE_TEST_DATA") == "1":
            pytest.fail(f"SIDWATCH_REQUIRE_TEST_DATA=1, but there are no pictures in {folder}")
        pytest.skip(f"no real pictures in {folder}; SIDWATCH_TEST_DATA names another folder")
    return folder


@pytest.fixture
def figures() -> Iterator[list[str]]:
    """Lines appended here are shown after the run, whether tests pass or fail."""
    lines: list[str] = []
    yield lines
    FIGURES.extend(lines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("figures")
        for line in FIGURES:
            terminalreporter.write_line(line)
