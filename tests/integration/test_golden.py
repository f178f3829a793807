"""A service whose encoder computes otherwise than before stops before it writes a vector."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from daemon.encoders.forensic import ForensicEncoder
from tests.integration.test_service import COMMAND, ROOT, Service
from tests.unit.encoders.clip import WIDTH, make_models, settings

# Only the encoder's process computes otherwise: one part of a fused vector, by a percent.
_DRIFT = """
import sys
if sys.orig_argv[-1] == "encode":
    from daemon.encoders.forensic import ForensicEncoder
    honest = ForensicEncoder.encode
    ForensicEncoder.encode = lambda self, picture: honest(self, picture) * 1.01
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration with a small random CLIP and the forensic encoder side by side, and pictures to take in."""
    weights = tmp_path / "weights"
    weights.mkdir()
    clip = settings(make_models(weights))
    configuration = {
        "encoder": {"name": "fused", "open_clip": clip.model_dump(mode="json")},
        "http": {"port": 0},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return tmp_path


def put(folder: Path, name: str, seeds: range) -> None:
    """Pictures of one photo collection."""
    place = folder / name / "real"
    place.mkdir(parents=True)
    for seed in seeds:
        coarse = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC).save(place / f"{seed}.png")


def run(folder: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, str(ROOT)))), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=200
    )


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "state" / "sidwatch.db")
    try:
        return list(connection.execute(query))
    finally:
        connection.close()


@pytest.mark.accept
def test_an_encoder_that_drifted_is_stopped_before_a_vector_is_written(folder: Path) -> None:
    put(folder, "first", range(6))
    assert run(folder, "ingest", "first").returncode == 0
    assert rows(folder, "SELECT * FROM golden") == []  # a command without an encoder records nothing
    service = Service(folder)
    try:
        service.wait_for_vectors(6)
        assert service.end(signal.SIGTERM) == 0
    finally:
        if service.process.poll() is None:
            os.killpg(service.process.pid, signal.SIGKILL)
    dimension = WIDTH + ForensicEncoder().dimension
    assert rows(folder, "SELECT DISTINCT dimension FROM vector_shard") == [(dimension,)]
    golden = rows(folder, "SELECT profile, dimension, length(vector) FROM golden ORDER BY profile")
    assert golden == [("laundered", dimension, 4 * dimension), ("raw", dimension, 4 * dimension)]

    put(folder, "second", range(6, 9))
    assert run(folder, "ingest", "second").returncode == 0
    (folder / "drift").mkdir()
    (folder / "drift" / "sitecustomize.py").write_text(_DRIFT)
    for command in (["run"], ["score", "first/real/1.png"]):
        stopped = run(folder, *command, path=str(folder / "drift"))
        assert stopped.returncode == 78, stopped.stderr
        last = stopped.stderr.strip().splitlines()[-1]
        assert "makes another vector of the golden picture" in last
        assert "0.01 apart, at most 0.001" in last
        assert "store.directory" in last
    assert rows(folder, "SELECT count(*) FROM sample") == [(9,)]
    assert rows(folder, "SELECT count(DISTINCT sample_id) FROM vector") == [(6,)]
    verified = run(folder, "verify", "--deep")
    assert verified.returncode == 0, verified.stdout
