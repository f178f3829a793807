"""Named arrays as safetensors bytes: deterministic to write, typed errors to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from daemon.errors import CorruptArtifact


def save_tensors(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays as safetensors bytes.

    No metadata is written: safetensors keeps it in a hash map, whose order would change the bytes from one
    run to the next.
    """
    contiguous = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    return bytes(save(contiguous))


def load_tensors(data: bytes, what: str) -> dict[str, NDArray[Any]]:
    """The arrays in safetensors bytes; `what` names the file in the error.

    Raises:
        CorruptArtifact: the bytes are not safetensors, or hold a type numpy does not know.
    """
    try:
        tensors: dict[str, NDArray[Any]] = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise CorruptArtifact(f"{what}: not readable as safetensors ({error})") from error
    return tensors


def expect(array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...], name: str) -> None:
    """Check one array of a version.

    Raises:
        CorruptArtifact: another dtype or shape, or a value that is not finite.
    """
    if array.dtype != dtype or array.shape != shape:
        raise CorruptArtifact(f"version: {name} is {array.dtype} {array.shape}, not {dtype.__name__} {shape}")
    if not np.isfinite(array).all():
        raise CorruptArtifact(f"version: {name} holds a value that is not finite")
