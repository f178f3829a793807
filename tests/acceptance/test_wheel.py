"""The wheel: it installs and runs outside the checkout, and brings everything it needs along."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

CARRIED = (
    "daemon/shipped_files/config.yaml",
    "daemon/shipped_files/dashboards/grafana/overview.json",
    "daemon/shipped_files/dashboards/prometheus/rules/alerts.yml",
    "daemon/report/templates/report.html",
    "daemon/web/templates/overview.html",
    "daemon/web/static/page.css",
    "daemon/web/static/vendor/htmx.min.js",
    "daemon/web/static/vendor/htmx.LICENSE",
    "store/migrations/env.py",
    "store/migrations/versions/0001_first_tables.py",
    "adapters/simulation/scenes.py",
    "daemon/py.typed",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed wheel, far from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)], check=True, cwd=folder)
    (wheel,) = folder.glob("sidwatch-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True, cwd=folder)
    return folder


def run(installed: Path, *arguments: str, timeout: float = 300) -> str:
    """The command from the wheel, in a folder of its own; must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(installed / "site"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "daemon", *arguments],
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_wheel_carries_configuration_templates_migrations_and_dashboards(installed: Path) -> None:
    (wheel,) = installed.glob("sidwatch-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert [name for name in CARRIED if name not in names] == []
    assert not [name for name in names if name.startswith("tests/")]


def test_the_installed_code_is_what_runs(installed: Path) -> None:
    code = "import daemon, store, adapters; print(daemon.__file__, store.__file__, adapters.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed / "site")}
    found = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=installed, env=environment, capture_output=True, text=True, check=True
    )
    assert all(str(installed / "site") in path for path in found.stdout.split())


def test_init_check_config_and_the_kinds_of_adapters_work_from_the_wheel(installed: Path) -> None:
    run(installed, "init", "watch")
    assert (installed / "watch" / "dashboards" / "grafana" / "overview.json").is_file()
    assert "open_clip" in run(installed, "check-config", "--config", "watch/config.yaml")
    assert "folder, generate, hf_dataset, http_feed, hub_releases, manifest, simulated, webdataset" in run(
        installed, "adapters", "list", "--config", "watch/config.yaml"
    )


def test_a_store_is_made_filled_and_verified_from_the_wheel(installed: Path) -> None:
    configuration = (
        "encoder: {name: forensic}\nclock: {kind: simulated, start: 2030-01-01T00:00:00Z}\n"
        "adapters: [{name: world, kind: simulated, trust: trusted, options: "
        "{days: 0, photographs_at_start: 4, generated_at_start: 4}}]\n"
    )
    (installed / "small.yaml").write_text(configuration, encoding="utf-8")
    run(installed, "run", "--until-idle", "--config", "small.yaml")
    assert '"active": 36' in run(installed, "status", "--json", "--config", "small.yaml")
    assert '"ok": true' in run(installed, "verify", "--deep", "--json", "--config", "small.yaml")
