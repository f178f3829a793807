"""Figures that tests measured, shown at the end of a run, also of one whose tests ran in several processes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

# The same examples every time, so that a red run says something about the change in it; new ones are looked for with
# `--hypothesis-profile=default`.
settings.load_profile("ci")

FIGURES = pytest.StashKey[list[str]]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist hands over what its tests measured."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config.stash.get(FIGURES, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Whoever started it takes them; a process that died has none."""
    node.config.stash.setdefault(FIGURES, []).extend(getattr(node, "workeroutput", {}).get("figures", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The section `figures`, whatever pytest is told to capture."""
    lines = config.stash.get(FIGURES, [])
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
