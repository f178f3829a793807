"""The import packages are ours: python-daemon, for one, also installs a package called `daemon`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import adapters
import daemon
import store

ROOT = Path(__file__).parents[2]


def test_the_packages_imported_are_those_of_this_checkout() -> None:
    assert [Path(str(package.__file__)).parents[1] for package in (daemon, adapters, store)] == [ROOT] * 3


def test_another_package_called_daemon_is_not_the_one_that_children_import(tmp_path: Path) -> None:
    (tmp_path / "daemon").mkdir()
    (tmp_path / "daemon/__init__.py").write_text("raise ImportError('the wrong daemon')\n")
    code = "import sys; sys.path.append(sys.argv[1]); import daemon; print(daemon.__version__)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == daemon.__version__
