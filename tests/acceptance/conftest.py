"""Test data, figures that are shown at the end, and one undisturbed demo for all who need it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.demo import DemoRun, run_demo, seeds
from tests.conftest import FIGURES

_CHECKOUT = Path(__file__).resolve().parents[2]

Report = Callable[..., None]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of the test pictures: SIDWATCH_TEST_DATA, or shared/data beside the checkout."""
    named = os.environ.get("SIDWATCH_TEST_DATA")
    folder = Path(named) if named else _CHECKOUT.parent / "shared" / "data"
    if not (folder / "images" / "manifest.csv").is_file():
        missing = f"no test pictures in {folder}; SIDWATCH_TEST_DATA names the folder"
        if os.environ.get("SIDWATCH_REQUIRE_TEST_DATA") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return folder.resolve()


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    """Lines for the section `figures` at the end of the run, whatever pytest is told to capture."""
    lines = pytestconfig.stash.setdefault(FIGURES, [])
    return lambda *added: lines.extend(str(line) for line in added)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRun]:
    """The demo of the first seed, told from beginning to end."""
    yield run_demo(tmp_path_factory.mktemp("undisturbed"), seeds()[0])
