"""Local pipelines of the library diffusers; one model in memory at a time.

Weights are safetensors alone, at a pinned commit, and no code of a repository is run. A model that cannot be loaded so
is unusable. Pictures are stored as PNG, without loss.
"""

from __future__ import annotations

import gc
import hashlib
import inspect
from io import BytesIO
from pathlib import Path
from typing import Any

import diffusers
import httpx2
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

from adapters.generation.backend import Busy, Lost, Parameters, Picture, Refused, Unusable
from adapters.generation.options import GenerateOptions, is_commit, is_folder
from adapters.generation.orders import Model, Order
from adapters.lines import first_line

_UNREACHABLE = (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx2.TransportError, ConnectionError)
_FAILURES = (OSError, ValueError, RuntimeError, TypeError, LookupError, AttributeError, ImportError, ArithmeticError)


class DiffusersPipelines:
    """Makes pictures on this machine."""

    def __init__(self, options: GenerateOptions, token: str | None) -> None:
        self._options = options
        self._token = token
        self._device = options.diffusers.device or _best_device()
        named = options.diffusers.dtype or ("bfloat16" if self._device.startswith("cuda") else "float32")
        self._dtype: torch.dtype = getattr(torch, named)
        self._loaded: tuple[Model, Any] | None = None

    def make(self, order: Order) -> Picture:
        """Make one picture; the same order gives the same one on the same machine. Raises as `Backend` says."""
        pipeline = self._pipeline(order.model)
        generator = torch.Generator("cpu").manual_seed(order.seed)  # the same numbers on every device
        try:
            made = pipeline(order.prompt.text, generator=generator, **self._options.parameters)
            image = made.images[0]
        except _FAILURES as error:
            raise Lost(first_line(error)) from error
        if any(getattr(made, "nsfw_content_detected", None) or ()):
            raise Refused("the pipeline's own safety checker blanked the picture")
        encoded = BytesIO()
        image.save(encoded, "PNG")
        return Picture(encoded.getvalue(), self._said(order.model, pipeline))

    def close(self) -> None:
        """Free the memory of the model."""
        self._loaded = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _said(self, model: Model, pipeline: Any) -> Parameters:
        said: dict[str, str] = {
            "pipeline": type(pipeline).__name__,
            "diffusers": str(diffusers.__version__),
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": self._device,
        }
        if model.revision is None:
            said["revision"] = f"folder:{_digest(Path(model.name).expanduser())}"
        return said

    def _pipeline(self, model: Model) -> Any:
        if self._loaded is not None and self._loaded[0] == model:
            return self._loaded[1]
        self.close()  # before the next one comes: two may not fit
        folder = is_folder(model.name)
        if not folder and not is_commit(model.revision):
            raise Unusable(f"{model.revision!r} is no commit of the Hub")
        try:
            pipeline = diffusers.DiffusionPipeline.from_pretrained(
                str(Path(model.name).expanduser()) if folder else model.name,
                revision=None if folder else model.revision,
                variant=self._options.diffusers.variant,
                dtype=self._dtype,
                use_safetensors=True,  # never pickle
                trust_remote_code=False,
                token=self._token or False,  # never the one of whoever started the service
            ).to(self._device)
        except _FAILURES as error:
            if _is_unreachable(error):
                raise Busy(f"the Hub cannot be reached: {first_line(error)}") from error
            raise Unusable(f"cannot be loaded: {first_line(error)}") from error
        taken = inspect.signature(pipeline.__call__).parameters
        for name in ("prompt", "generator", *self._options.parameters):
            if name not in taken:
                raise Unusable(f"its {type(pipeline).__name__} takes no {name!r}")
        pipeline.set_progress_bar_config(disable=True)
        self._loaded = model, pipeline
        return pipeline


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _is_unreachable(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, _UNREACHABLE):
            return True
        error = error.__cause__ or error.__context__
    return False


def _digest(folder: Path) -> str:
    """Return 16 hex digits of the names, sizes and settings of a folder's files; weights are not read again."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(folder)} {file.stat().st_size}\n".encode(errors="replace"))
            if file.suffix == ".json":
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
