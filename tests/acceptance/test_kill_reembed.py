"""SIGKILL at random moments of a move to another encoder: it goes on where it was, to the end of an undisturbed one."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.command import Running, free_port, sidwatch
from tests.acceptance.conftest import Report
from tests.acceptance.demo import CONFIG, DemoRun, pictures
from tests.unit.encoders.clip import make_models

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1800)]

KILLS = 6
SEED = 20262


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's encoder beside a small CLIP of random weights: another fingerprint, and no worse a detector."""
    folder = tmp_path_factory.mktemp("target")
    models = make_models(folder / "models") if (folder / "models").mkdir() is None else folder
    clip = {"model": f"local-dir:{models / 'quick'}", "weights_path": str(models / "one.safetensors"), "device": "cpu"}
    file = folder / "encoder.yaml"
    file.write_text(yaml.safe_dump({"encoder": {"name": "fused", "open_clip": clip}}), encoding="utf-8")
    return file


def test_kills_in_the_middle_of_a_move_change_nothing(
    undisturbed: DemoRun, target: Path, tmp_path: Path, report: Report
) -> None:
    began = time.monotonic()
    quiet = _copy(undisturbed, tmp_path / "quiet")
    sidwatch(*_move(target), folder=quiet)
    seconds = time.monotonic() - began
    wanted = _end(quiet)
    assert wanted["state"] == "switched"

    killed, moments, states = _copy(undisturbed, tmp_path / "killed"), random.Random(SEED), []
    for _ in range(KILLS):
        with Running(*_move(target), folder=killed, port=free_port()) as running:
            until = time.monotonic() + moments.uniform(0.1, 0.4) * seconds
            while not running.ended and time.monotonic() < until:
                time.sleep(0.02)
            if running.ended:
                assert running.process.returncode == 0, running.err[-4000:]
                break
            running.kill()
        states.append(_verified(killed))
        if states[-1] == "switched":
            break
    else:
        sidwatch(*_move(target), folder=killed)
    assert "embedding" in states, "no kill hit the move itself"
    end = _end(killed)
    # A batch that is cut elsewhere moves the last bits of a single-precision vector, and the figures with it.
    assert end.pop("figures") == pytest.approx(wanted.pop("figures"), rel=1e-4, abs=1e-6)
    assert end == wanted
    assert _verified(killed) == "switched"
    assert pictures(killed) == undisturbed.pictures
    report("", f"reembed: {len(states)} SIGKILLs, found {states}; the end is that of an undisturbed move")


def _copy(run: DemoRun, folder: Path) -> Path:
    shutil.copytree(run.folder, folder)
    return folder


def _move(target: Path) -> tuple[str | Path, ...]:
    return "reembed", "--encoder", "fused", "--encoder-config", target, "--json", "--config", CONFIG


def _verified(folder: Path) -> str | None:
    """The migration's state in a store that `verify` finds whole; None: it had not begun."""
    assert sidwatch("verify", "--json", "--config", CONFIG, folder=folder).json["ok"] is True
    migration = _status(folder)
    return None if migration is None else str(migration["state"])


def _status(folder: Path) -> Any:
    return sidwatch("reembed", "--status", "--json", "--config", CONFIG, folder=folder).json


def _end(folder: Path) -> dict[str, Any]:
    """What must not depend on kills: outcome, what was moved and compared, versions; no times, no ids."""
    status = _status(folder)
    checks = [_parted(check) for check in status["verdict"]["checks"]]
    versions = sidwatch("models", "list", "--json", "--config", CONFIG, folder=folder).json
    return {
        "state": status["state"],
        "samples": status["counts"],
        "checks": [words for words, _ in checks],
        "figures": [number for _, numbers in checks for number in numbers],
        "versions": [(version["learner"], version["role"], version["state"]) for version in versions],
    }


def _parted(check: dict[str, Any]) -> tuple[dict[str, Any], list[float]]:
    """What a check says in words and whole numbers, and its figures."""
    words = {key: value for key, value in check.items() if not isinstance(value, float)}
    return words, [value for value in check.values() if isinstance(value, float)]
