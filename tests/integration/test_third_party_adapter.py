"""A third party's adapter: the package of the how-to, installed with pip, found by its entry point, run."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tests" / "packages" / "sidwatch-zip-adapter"
HOW_TO = (ROOT / "docs" / "how-to-adapter.md").read_text(encoding="utf-8")
CONFIGURATION = (
    "encoder: {name: forensic}\n"
    "adapters: [{name: archive, kind: zip, options: {path: pictures.zip, family: dalle_3}}]\n"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the package into."""
    folder = tmp_path_factory.mktemp("third_party")
    shutil.copytree(PACKAGE, folder / "package")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    offline = ["--no-index", "--no-build-isolation", "--no-deps", "--target", str(folder / "site")]
    subprocess.run([*pip, *offline, str(folder / "package")], check=True, cwd=folder)
    return folder / "site"


def python(installed: Path, folder: Path, *arguments: str) -> str:
    """What Python prints with the package in reach; must succeed."""
    paths = os.pathsep.join((str(installed), str(ROOT)))
    environment = {**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def sidwatch(installed: Path, folder: Path, *arguments: str) -> Any:
    return json.loads(python(installed, folder, "-m", "daemon", *arguments, "--json", "--config", "config.yaml"))


def picture(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (96, 96, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_the_how_to_shows_the_package_as_it_is() -> None:
    source = (PACKAGE / "src" / "sidwatch_zip" / "adapter.py").read_text(encoding="utf-8")
    shown = re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)[0]
    assert source.endswith(shown)
    entry_point = re.findall(r"```toml\n(.*?)```", HOW_TO, re.DOTALL)[0]
    assert entry_point in (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")


def test_its_own_test_passes_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    report = python(installed, tmp_path, "-m", "pytest", "-q", str(installed.parent / "package" / "tests"))
    assert "1 passed" in report


@pytest.mark.accept
def test_the_service_lists_it_shows_what_would_come_and_takes_it_in(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIGURATION, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for i in range(5):
            archive.writestr(f"{i}.png", picture(i))
        archive.writestr("broken.png", b"not a picture")

    listed = sidwatch(installed, tmp_path, "adapters", "list")
    assert "zip" in listed["kinds"]
    assert [(a["name"], a["installed"], a["cursor"]) for a in listed["adapters"]] == [("archive", True, None)]

    shown = sidwatch(installed, tmp_path, "adapters", "check", "archive", "--limit", "3")
    assert [(row["uri"], row["family"], row["problem"]) for row in shown] == [
        (f"{i}.png", "dalle_3", None) for i in range(3)
    ]

    python(installed, tmp_path, "-m", "daemon", "run", "--until-idle", "--config", "config.yaml")
    (after,) = sidwatch(installed, tmp_path, "adapters", "list")["adapters"]
    assert after["stored"] == 5
    assert after["rejected"] == {"format_not_allowed": 1}
    assert after["last_success_at"] is not None
    assert after["cursor"].startswith("6:")
