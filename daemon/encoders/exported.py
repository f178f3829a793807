"""The forward pass by OpenVINO: the image tower is exported once, kept on disk and compiled at every start.

The way is ONNX, which OpenVINO's core reads itself: its converter for torch models reports each use to its maker.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forward import Forward, Precision, Prepared
from daemon.errors import ConfigurationError

_MODEL = "model.onnx"
_SUMS = "sha256.json"
_NEEDED = ("openvino", "onnx", "onnxscript")
_UNFINISHED = "unfinished-"
_LONGEST_EXPORT = 6 * 3600.0  # seconds
_CODE = 1  # raise it when this file exports otherwise


def require_openvino() -> None:
    """Raises ConfigurationError when the extra is not installed; imports nothing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"encoder.open_clip.backend is openvino and {missing[0]} is not installed: "
            "pip install 'sidwatch[openvino]', or choose backend: torch"
        )


def openvino_forward(
    build: Callable[[], Any],
    key: dict[str, Any],
    *,
    size: int,
    precision: Precision,
    threads: int | None,
    folder: Path | None,
    announce: Callable[[str], None] | None,
) -> Forward:
    """Compile the exported image tower for this machine's CPU, exporting it first when that was not done yet.

    build: makes the image tower, float32; called only to export. key: what decides the export (the weights' digest,
    the architecture). size: pixels of the square input. folder: where exports are kept; None: the user's cache.
    announce: told before an export, which takes minutes. A kept export that was damaged is made anew.
    Raises ConfigurationError: the extra is missing, the CPU computes no bfloat16, the folder cannot be written.
    """
    require_openvino()
    import openvino

    core = openvino.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        # OpenVINO would compute float32 without a word, and the fingerprint would lie.
        raise ConfigurationError(
            "encoder.open_clip.precision is bf16 and OpenVINO finds no bfloat16 in this CPU; "
            "choose precision: fp32, or backend: torch"
        )
    model = core.read_model(_exported(build, key, size, folder or default_folder(), announce))
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    compiled = core.compile_model(model, "CPU", options)

    def forward(prepared: Prepared) -> NDArray[np.float32]:
        return np.array(compiled(prepared)[0], np.float32)  # a copy: the next pass writes over it

    return forward


def default_folder() -> Path:
    """Where exports are kept when the configuration names no folder."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sidwatch" / "openvino"


def _exported(
    build: Callable[[], Any], key: dict[str, Any], size: int, folder: Path, announce: Callable[[str], None] | None
) -> Path:
    import torch

    text = json.dumps({**key, "size": size, "code": _CODE, "torch": torch.__version__}, sort_keys=True, default=str)
    place = folder / hashlib.sha256(text.encode()).hexdigest()
    if _is_whole(place):
        return place / _MODEL
    if announce is not None:
        announce("exporting the model for OpenVINO, which takes minutes and is done once")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=_UNFINISHED) as temporary:
            made = Path(temporary) / "export"
            made.mkdir()
            _export(build(), size, made / _MODEL)
            (made / _SUMS).write_text(json.dumps(_sums(made)))
            shutil.rmtree(place, ignore_errors=True)
            made.rename(place)
    except OSError as error:
        if _is_whole(place):
            return place / _MODEL  # another process was quicker
        raise ConfigurationError(
            f"encoder.open_clip.compiled_dir: {folder} cannot hold the export ({error.strerror or error}); "
            "make room there or name another folder"
        ) from error
    return place / _MODEL


def _sweep(folder: Path) -> None:
    """Remove what killed exports left behind; one that is at work is younger."""
    for left in folder.glob(f"{_UNFINISHED}*"):
        if left.stat().st_mtime < time.time() - _LONGEST_EXPORT:
            shutil.rmtree(left, ignore_errors=True)


def _export(visual: Any, size: int, path: Path) -> None:
    import torch

    batch = torch.export.Dim("batch")
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its one fused operation has no counterpart in ONNX
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own making; what it made is compared in tests
            torch.onnx.export(
                visual,
                (torch.zeros(2, 3, size, size),),
                path,
                dynamo=True,
                dynamic_shapes=({0: batch},),
                input_names=["pictures"],
                output_names=["features"],
                external_data=True,
                verbose=False,
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _is_whole(place: Path) -> bool:
    try:
        promised = json.loads((place / _SUMS).read_text())
        return bool(promised == _sums(place))
    except (OSError, ValueError):
        return False


def _sums(folder: Path) -> dict[str, str]:
    """sha256 of every file of an export."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name != _SUMS:
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
