"""The child that opens an untrusted checkpoint: tensors out of it, nothing else, and no code run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from daemon.children.host import Host
from daemon.errors import BadInputError
from daemon.heads.tensors import save_tensors
from daemon.torch_file import load, shown

MAX_BYTES = 64 * 2**20  # of the file, of what it unpacks to, and of its tensors; the published ones are under 1.1 MB
_TOP = {"state_dict", "model_type"}
_LONGEST_TYPE = 100  # characters


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

    loaded = load(io.BytesIO(content))
    if not isinstance(loaded, dict) or set(loaded) != _TOP:
        found = ", ".join(sorted(map(str, loaded))) if isinstance(loaded, dict) else type(loaded).__name__
        raise BadInputError(f"it must hold state_dict and model_type and no more, not: {shown(found) or 'nothing'}")
    state, model_type = loaded["state_dict"], loaded["model_type"]
    if not isinstance(model_type, str) or not isinstance(state, dict):
        raise BadInputError("its state_dict is no dictionary, or its model_type no text")
    if len(model_type) > _LONGEST_TYPE:
        raise BadInputError(f"its model_type is {shown(model_type)}")
    total = 0
    arrays = {}
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor) or not _is_plain(tensor):
            raise BadInputError(f"{shown(key)} in its state_dict is no plain tensor")
        total += tensor.numel() * tensor.element_size()  # asked before any is copied: a small file can claim huge ones
        if total > MAX_BYTES:
            raise BadInputError(f"its tensors are larger than {MAX_BYTES // 2**20} MiB")
        if tensor.dtype != torch.float32:
            raise BadInputError(f"{shown(key)} is {str(tensor.dtype).removeprefix('torch.')}, not float32")
        arrays[key] = tensor.detach().contiguous().numpy()
    return model_type, arrays


def _is_plain(tensor: Any) -> bool:
    """Numbers in memory as they are: neither sparse, nested, quantised, without data, nor to be negated on reading."""
    import torch

    strided = tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_quantized
    return bool(strided and tensor.device.type == "cpu" and not tensor.is_neg())


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
