"""The child that opens an untrusted checkpoint: tensors out of it, nothing else, and no code run."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from typing import Any

from daemon.children.host import Host
from daemon.errors import BadInputError
from daemon.heads.tensors import save_tensors

MAX_BYTES = 64 * 2**20  # of the file, of what it unpacks to, and of its tensors; the published ones are under 1.1 MB
_TOP = {"state_dict", "model_type"}


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """Answer one file's bytes with its model_type and its tensors as safetensors."""
    model_type, tensors = read_checkpoint(host.receive().part(0))
    host.send({"model_type": model_type}, [save_tensors(tensors)])
    host.receive()  # ends this process when the parent has read everything


def read_checkpoint(content: bytes) -> tuple[str, dict[str, Any]]:
    """(model_type, tensors as numpy arrays) of a checkpoint file.

    Raises:
        BadInputError: it is no checkpoint, damaged, larger than it may be, or holds anything but tensors.
    """
    _check_archive(content)
    import torch

    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInputError("it holds more than tensors, which is not read: such a file can run code") from error
    except (RuntimeError, ValueError, KeyError, EOFError, TypeError, AttributeError, IndexError) as error:
        raise BadInputError(f"it is damaged ({type(error).__name__})") from error
    if not isinstance(loaded, dict) or set(loaded) != _TOP:
        found = ", ".join(sorted(map(str, loaded))) if isinstance(loaded, dict) else type(loaded).__name__
        raise BadInputError(f"it must hold state_dict and model_type and no more, not: {found[:200] or 'nothing'}")
    state, model_type = loaded["state_dict"], loaded["model_type"]
    if not isinstance(model_type, str) or not isinstance(state, dict):
        raise BadInputError("its state_dict is no dictionary, or its model_type no text")
    total = 0
    arrays = {}
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
            raise BadInputError(f"{str(key)[:100]} in its state_dict is no plain tensor")
        total += tensor.numel() * tensor.element_size()  # asked before any is copied: a small file can claim huge ones
        if total > MAX_BYTES:
            raise BadInputError(f"its tensors are larger than {MAX_BYTES // 2**20} MiB")
        if tensor.dtype != torch.float32:
            raise BadInputError(f"{key[:100]} is {str(tensor.dtype).removeprefix('torch.')}, not float32")
        arrays[key] = tensor.detach().contiguous().numpy()
    return model_type, arrays


def _check_archive(content: bytes) -> None:
    """Torch writes zip files without compression; anything that unpacks to more than it is is refused unread."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise BadInputError("it is no torch checkpoint, or only a part of one") from error
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise BadInputError(f"it would unpack to more than {MAX_BYTES // 2**20} MiB")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise BadInputError("it is compressed, which torch's own files never are")
