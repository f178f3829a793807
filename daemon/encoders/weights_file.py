"""What is in a weights file; nothing in it is executed."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from daemon import torch_file
from daemon.errors import BadInputError, ConfigurationError

T = TypeVar("T")

_SHA256_LENGTH = 64
_UNKNOWN_TYPE = (AttributeError, KeyError, TypeError, ValueError)  # safetensors, of numbers that numpy or torch lacks


def read_tensors(path: Path) -> dict[str, Any]:
    """Every tensor of a file by its name in the model, on the CPU.

    path: .safetensors, or a state dict saved by torch. Raises ConfigurationError.
    """

    def load() -> Any:
        from safetensors.torch import load_file

        if _is_safe(path):
            return load_file(path, device="cpu")
        # A mapped file costs no second copy in memory; torch's old format, no archive, cannot be mapped.
        return torch_file.load(path, mapped=zipfile.is_zipfile(path))

    return _bare(path, _guarded(path, load))


def read_array(path: Path, name: str) -> NDArray[np.float32] | None:
    """One tensor of a file, read without the others where the format allows it; None when there is none.

    Parameters as `read_tensors`; safetensors are read without torch. Raises ConfigurationError.
    """
    if not _is_safe(path):
        tensor = read_tensors(path).get(name)
        return None if tensor is None else np.asarray(tensor.float().numpy(), np.float32)

    def load() -> NDArray[np.float32] | None:
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            found = next((key for key in file.keys() if _bare_name(key) == name), None)  # noqa: SIM118 - no mapping
            if found is None:
                return None
            if file.get_slice(found).get_dtype() != "BF16":
                return np.asarray(file.get_tensor(found), np.float32)
        with safe_open(path, framework="pt") as file:  # numpy has no bfloat16
            return np.asarray(file.get_tensor(found).float().numpy(), np.float32)

    return _guarded(path, load)


def image_tower(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of the image tower, under its own names."""
    return {name.removeprefix("visual."): tensor for name, tensor in tensors.items() if name.startswith("visual.")}


def digest(path: Path) -> str:
    """sha256 of the file; the hub's cache names large files by it, and then it must be right."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    promised = path.resolve().name
    if path.is_symlink() and len(promised) == _SHA256_LENGTH and promised != found:
        raise ConfigurationError(
            f"encoder.open_clip: {path} does not match the sha256 that the hub gave; delete it and fetch it again"
        )
    return found


def _is_safe(path: Path) -> bool:
    return path.suffix == ".safetensors"


def _bare(path: Path, loaded: Any) -> dict[str, Any]:
    import torch

    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]  # as training scripts save it
    if not isinstance(loaded, dict) or not all(torch.is_tensor(value) for value in loaded.values()):
        raise ConfigurationError(f"encoder.open_clip: {path} is no state dict; give one as .safetensors or .pt")
    bare = {_bare_name(str(name)): tensor for name, tensor in loaded.items()}
    if len(bare) != len(loaded):
        raise ConfigurationError(f"encoder.open_clip: {path} holds a tensor twice, with and without `module.`")
    return bare


def _bare_name(name: str) -> str:
    return name.removeprefix("module.")


def _guarded(path: Path, load: Callable[[], T]) -> T:
    from safetensors import SafetensorError

    try:
        return load()
    except (BadInputError, OSError, SafetensorError, *_UNKNOWN_TYPE) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigurationError(
            f"encoder.open_clip: {path} cannot be read as weights: {reason}; "
            "give a state dict as .safetensors or .pt (not a TorchScript archive)"
        ) from error
