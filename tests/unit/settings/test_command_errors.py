"""The command line's errors: one line, the right exit status; `status` is light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli import run


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["status", "--config", "missing.yaml"], 78),
        (["no-such-command"], 2),
        (["status", "--config", "config.yaml"], 78),  # there is no store yet
        (["ingest", "nowhere", "--config", "config.yaml"], 65),
        (["init", "afile/inside"], 65),
        (["retrain", "--learner", "boosting", "--config", "config.yaml"], 2),
        (["retrain", "--learner", "probe", "--read-out", "linear", "--config", "config.yaml"], 2),
        (["models", "import", "nowhere.ckpt", "--config", "config.yaml"], 65),
        (["models", "import", "afile", "--config", "config.yaml"], 65),
        (["update", "--config", "broken.yaml"], 78),  # its state directory lies below a file
    ],
)
def test_an_error_is_one_line_with_its_status(
    arguments: list[str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("encoder: {name: forensic}\n")
    Path("broken.yaml").write_text("store: {directory: afile/state}\n")
    Path("afile").write_text("")
    assert run(arguments) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("sidwatch: ") and shown.err.count("\n") == 1


@pytest.mark.parametrize("command", [["status"], ["models", "rollback", "--reason", "a test"]], ids=" ".join)
def test_what_must_be_quick_imports_no_heavy_library(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("encoder: {name: forensic}\n")
    code = (
        "import sys; from daemon.cli import run; run(sys.argv[1:]);"
        "heavy = ('torch', 'open_clip', 'pyarrow', 'fastapi', 'scipy', 'sklearn', 'prometheus_client', 'httpx', 'PIL');"
        "print([m for m in heavy if m in sys.modules])"
    )
    asked = [*command, "--config", str(tmp_path / "config.yaml")]
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
