"""The script in an exported folder scores as the head does, in a process that cannot import sidwatch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from daemon.errors import BadInputError
from daemon.heads import ClosedFormHead, ConceptHead, GroupKey, LinearHead
from daemon.heads.artifact import Anchors, VersionArtifact, write
from daemon.heads.calibration import Calibration
from daemon.heads.head import Head
from daemon.heads.threshold import Threshold
from daemon.model import Subject
from daemon.registry.exporting import script_of, write_folder

D, K, E = 12, 5, 7
# What stands between the script and this checkout: no site of the caller, and the three packages cannot be found.
ALONE = (
    "import sys, runpy\n"
    "class Barred:\n"
    "    def find_spec(self, name, *_):\n"
    "        if name.split('.')[0] in ('daemon', 'adapters', 'store', 'scipy', 'torch'): raise ImportError(name)\n"
    "sys.meta_path.insert(0, Barred())\n"
    "script = sys.argv.pop(1); sys.argv[0] = script; runpy.run_path(script, run_name='__main__')\n"
)


def closed_form(read_out: str, rng: np.random.Generator) -> ClosedFormHead:
    subjects = [Subject("family", f"f{i}") for i in range(3)] + [Subject("source", f"s{i}") for i in range(4)]
    means = rng.normal(0, 2, (7, K))
    return ClosedFormHead(
        read_out=read_out,  # type: ignore[arg-type]
        tau=0.3,
        source_tau=0.2,
        keys=tuple(GroupKey(subject, "raw") for subject in subjects),
        centre=rng.normal(size=D),
        inverse_scale=rng.uniform(0.5, 2, D),
        units=rng.normal(size=(D, K)),
        means=means,
        half_norms=(means**2).sum(axis=1) / 2 - 0.1,
        log_weights=np.log(rng.dirichlet(np.ones(7))),
    )


def heads() -> dict[str, Head]:
    rng = np.random.default_rng(5)
    linear = LinearHead(rng.normal(size=(K, D)), rng.normal(size=K), rng.normal(size=K), rng.normal(size=1))
    concept = ConceptHead(
        rng.normal(size=(D, E)),
        rng.normal(size=(K, E)),
        rng.normal(size=(K, E)),
        rng.normal(size=K),
        rng.normal(size=K),
        rng.normal(size=1),
        (),
    )
    return {
        "mixture": closed_form("mixture", rng),
        "read-out linear": closed_form("linear", rng),
        "linear": linear,
        "concept": concept,
    }


def exported(head: Head, folder: Path, threshold: float = 0.25) -> Path:
    vectors = np.random.default_rng(0).normal(size=(4, D)).astype(np.float16)
    artifact = VersionArtifact(
        head,
        (),
        {"raw": Threshold(threshold, 0.05, "split_conformal", 10, {})},
        Calibration(1.7, -0.4, "platt", 30),
        Anchors(vectors, head.scores(vectors)),
        {},
    )
    tensors, manifest = write(artifact)
    files = {"manifest.json": manifest, "tensors.safetensors": tensors, "score.py": script_of(head)}
    write_folder(folder, files)
    return folder


def run_alone(folder: Path, vectors: np.ndarray, elsewhere: Path) -> subprocess.CompletedProcess[str]:  # type: ignore[type-arg]
    np.save(elsewhere / "vectors.npy", vectors)
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", ALONE, str(folder / "score.py"), "vectors.npy"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", list(heads()))
def test_it_scores_as_the_head_does(kind: str, tmp_path: Path) -> None:
    head = heads()[kind]
    folder = exported(head, tmp_path / "out")
    vectors = np.random.default_rng(1).normal(0, 3, (40, D))
    done = run_alone(folder, vectors, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    logits = head.scores(vectors)
    np.testing.assert_allclose([line["logit"] for line in lines], logits, rtol=1e-9, atol=1e-9)
    expected = Calibration(1.7, -0.4).probability(logits)
    np.testing.assert_allclose([line["probability"] for line in lines], expected, rtol=1e-9, atol=1e-12)
    assert [line["synthetic"] for line in lines] == (logits > 0.25).tolist()
    assert 0 < sum(line["synthetic"] for line in lines) < 40


@pytest.mark.parametrize("kind", list(heads()))
def test_it_is_as_short_as_promised(kind: str) -> None:
    lines = script_of(heads()[kind]).decode().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("here = "))
    assert len(lines) - first <= 17


def test_an_infinite_threshold_calls_nothing_synthetic(tmp_path: Path) -> None:
    folder = exported(heads()["linear"], tmp_path / "out", threshold=np.inf)
    done = run_alone(folder, np.random.default_rng(1).normal(0, 3, (40, D)), tmp_path)
    assert done.returncode == 0 and "true" not in done.stdout


def test_what_overflows_and_what_is_no_vector_is_refused(tmp_path: Path) -> None:
    folder = exported(heads()["mixture"], tmp_path / "out")
    done = run_alone(folder, np.full((1, D), 1e6), tmp_path)
    assert done.returncode != 0 and done.stdout == ""
    for shape in ((1, D + 1), (D,)):
        done = run_alone(folder, np.ones(shape), tmp_path)
        assert done.returncode != 0 and done.stdout == ""
        assert done.stderr.startswith(f"expected rows of {D} numbers") and done.stderr.count("\n") == 1
    done = run_alone(folder, np.array([{"a": 1}], dtype=object), tmp_path)  # a pickle
    assert done.returncode != 0 and "allow_pickle" in done.stderr


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "empty", {"a": b"1"})
    assert (tmp_path / "empty" / "a").read_bytes() == b"1"
    with pytest.raises(BadInputError, match="not empty"):
        write_folder(tmp_path / "empty", {"a": b"2"})
    assert (tmp_path / "empty" / "a").read_bytes() == b"1"
    (tmp_path / "file").write_text("")
    for taken in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInputError):
            write_folder(taken, {"a": b"1"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]
