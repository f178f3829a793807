"""Precisions and backends: what they change, what they must not, and that each has its own fingerprint."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import save_file

from daemon.encoders.open_clip import OpenClipEncoder
from daemon.errors import ConfigurationError
from tests.unit.encoders.clip import make_architecture, pictures, random_model, settings
from tests.unit.encoders.reference import scatter


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT of 256 units: bfloat16 needs some width to average its rounding out."""
    folder = tmp_path_factory.mktemp("precision")
    made = random_model(make_architecture(folder / "model", image_size=64, width=256, layers=2))
    scatter(made, seed=5)
    save_file(made.state_dict(), folder / "weights.safetensors")
    return folder


def encoder(folder: Path, said: list[str] | None = None, **more: Any) -> OpenClipEncoder:
    more.setdefault("compiled_dir", folder / "exports")
    wanted = settings(folder, "model", "weights.safetensors", **more)
    return OpenClipEncoder(wanted, threads=1, announce=None if said is None else said.append)


@pytest.fixture(scope="module")
def exports(model: Path) -> list[str]:
    """Makes the export, and returns what was said meanwhile."""
    said: list[str] = []
    encoder(model, said, backend="openvino")
    return said


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths)


def test_the_converted_model_points_where_the_float32_one_points(model: Path) -> None:
    exact, rough = encoder(model), encoder(model, precision="bf16")
    one, other = exact.encode_batch(pictures(6)), rough.encode_batch(pictures(6))
    assert other.dtype == np.float32
    assert cosines(one, other).min() > 0.999
    assert np.abs(one - other).max() > 1e-3  # it did compute in bfloat16
    assert exact.fingerprint != rough.fingerprint


@pytest.mark.parametrize("able", [True, False])
def test_a_cpu_that_computes_bfloat16_in_software_is_named(
    model: Path, able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.encoders.open_clip.computes_bfloat16", lambda: able)
    said: list[str] = []
    encoder(model, said)
    assert said == []
    encoder(model, said, precision="bf16")
    assert [line for line in said if "slower on it than fp32" in line] == ([] if able else said)
    assert len(said) == (0 if able else 1)


def test_openvino_computes_what_torch_computes(model: Path, exports: list[str]) -> None:
    exact, compiled = encoder(model), encoder(model, backend="openvino")
    assert compiled.dimension == exact.dimension == 256
    assert compiled.fingerprint != exact.fingerprint
    for count in (1, 5, 0):  # the batch is free
        one, other = exact.encode_batch(pictures(count)), compiled.encode_batch(pictures(count))
        assert other.shape == (count, 256)
        assert np.abs(one - other).max(initial=0) < 1e-4
    first = compiled.encode(pictures()[0])
    kept = first.copy()
    compiled.encode(pictures()[1])
    assert np.array_equal(first, kept)  # the next pass does not write over it


def test_openvino_in_bfloat16_points_there_too_or_is_refused_on_a_cpu_without(model: Path, exports: list[str]) -> None:
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(ConfigurationError, match="no bfloat16 in this CPU"):
            encoder(model, backend="openvino", precision="bf16")
        return
    rough = encoder(model, backend="openvino", precision="bf16")
    one, other = encoder(model).encode_batch(pictures(6)), rough.encode_batch(pictures(6))
    assert cosines(one, other).min() > 0.999
    assert np.abs(one - other).max() > 1e-3


def test_the_export_is_announced_made_once_and_made_anew_when_a_byte_of_it_flips(
    model: Path, exports: list[str], tmp_path: Path
) -> None:
    assert len(exports) == 1
    assert "takes minutes" in exports[0]
    shutil.copytree(model / "exports", tmp_path, dirs_exist_ok=True)
    (place,) = tmp_path.iterdir()
    said: list[str] = []
    expected = encoder(model, said, backend="openvino", compiled_dir=tmp_path).encode_batch(pictures())
    assert said == []
    for name in ("unfinished-old", "unfinished-new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "unfinished-old", (0, 0))
    data = max(place.iterdir(), key=lambda path: path.stat().st_size)
    changed = bytearray(data.read_bytes())
    changed[len(changed) // 2] ^= 0x40
    data.write_bytes(changed)
    mended = encoder(model, said, backend="openvino", compiled_dir=tmp_path)
    assert len(said) == 1
    assert np.array_equal(mended.encode_batch(pictures()), expected)
    # What a killed process left is gone; what another may be at work on stays; nothing of this one is left.
    assert {path.name for path in tmp_path.iterdir()} == {place.name, "unfinished-new"}


def test_a_folder_that_cannot_hold_the_export_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"encoder\.open_clip\.compiled_dir: .*file cannot hold the export"):
        encoder(model, backend="openvino", compiled_dir=tmp_path / "file")


def test_without_the_extra_the_message_says_how_to_install_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "openvino" else find(name))
    with pytest.raises(ConfigurationError, match=r"pip install 'sidwatch\[openvino\]'"):
        encoder(model, backend="openvino")


def test_openvino_on_another_device_than_the_cpu_is_refused(model: Path) -> None:
    with pytest.raises(ConfigurationError, match="backend openvino runs on the CPU"):
        encoder(model, backend="openvino", device="cuda")
