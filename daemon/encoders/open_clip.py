"""The paper's encoder: a frozen CLIP image tower, its pooled feature before the projection (method.md, section 1)."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.weights import locate_weights
from daemon.errors import ConfigurationError
from daemon.settings import OpenClipSettings

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_SHA256_LENGTH = 64


class OpenClipEncoder:
    """Any open_clip image tower with its weights from a file or the hub cache; never random ones.

    settings: `encoder.open_clip`. threads: of torch on the CPU; None: its own choice. announce: told before a
    download starts. Raises WeightsMissing, ConfigurationError (unknown model, weights that do not fit, an
    activation that is not the stated one, a device that is not there).

    Source: arXiv 2602.12381, section 4, and its code (marco-willi/clip-cues).
    """

    name = "open_clip"

    def __init__(
        self,
        settings: OpenClipSettings,
        *,
        threads: int | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        path = locate_weights(settings, announce=announce)

        import torch  # only now: that weights are missing must be said at once

        if threads is not None:
            torch.set_num_threads(threads)
        config = _model_config(settings)
        self._torch = torch
        self._device = _device(settings.device)
        self._batch_size = settings.batch_size
        self._visual = _load(settings, path).to(self._device)
        self._size = _side(self._visual.image_size)
        self._transform = _transform(settings.transform, self._size)
        self.dimension: int = len(self._visual.ln_post.bias)
        self.fingerprint: str = _fingerprint(
            weights=_digest(path),
            architecture={"vision": config["vision_cfg"], "quick_gelu": bool(config.get("quick_gelu"))},
            transform=f"{settings.transform} {self._size}",
            precision=settings.precision,
            backend=f"torch {'.'.join(torch.__version__.split('.')[:2])} {self._device.type}",
        )

    def encode(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(h, w, 3) RGB -> (d,) float32, not normalised."""
        vector: NDArray[np.float32] = self.encode_batch([picture])[0]
        return vector

    def prepare(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(h, w, 3) RGB -> (3, s, s) float32, resized, cropped, standardised; may run in any thread."""
        from PIL import Image

        prepared: NDArray[np.float32] = self._transform(Image.fromarray(picture)).numpy()
        return prepared

    def encode_batch(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Pictures of any sizes -> (n, d) float32, `batch_size` of them in one forward pass."""
        return self.encode_prepared([self.prepare(picture) for picture in pictures])

    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """What `prepare` gave -> (n, d) float32."""
        rows = [np.zeros((0, self.dimension), np.float32)]
        with self._torch.inference_mode():
            for start in range(0, len(prepared), self._batch_size):
                batch = self._torch.from_numpy(np.stack(prepared[start : start + self._batch_size]))
                rows.append(self._visual(batch.to(self._device)).float().cpu().numpy())
        return np.concatenate(rows)


def _model_config(settings: OpenClipSettings) -> dict[str, Any]:
    """The architecture, checked: its activation must be the stated one (the wrong one spoils vectors silently)."""
    import open_clip

    try:
        config = open_clip.get_model_config(settings.model)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"encoder.open_clip.model: {settings.model}: {error}") from error
    if config is None:
        raise ConfigurationError(
            f"encoder.open_clip.model: open_clip has no model {settings.model!r}; "
            "`python -c 'import open_clip; print(open_clip.list_models())'` lists them"
        )
    actual = "quick_gelu" if config.get("quick_gelu") else "gelu"
    if actual != settings.activation:
        advice = (
            f"name {settings.model}-quickgelu, as OpenAI's weights need, or state encoder.open_clip.activation: gelu"
            if actual == "gelu"
            else "name the model without -quickgelu, or state encoder.open_clip.activation: quick_gelu"
        )
        raise ConfigurationError(
            f"encoder.open_clip.model: {settings.model} computes {actual} but encoder.open_clip.activation is "
            f"{settings.activation}; {advice}"
        )
    return dict(config)


def _load(settings: OpenClipSettings, path: Path) -> Any:
    """The image tower with the file's weights in it, without its projection, for inference.

    Loaded here, strictly, and not by open_clip: that would resize position embeddings of another resolution
    without a word and has a way round `weights_only`.
    """
    import open_clip

    with _without_the_warning_of_random_weights():  # every one of them is replaced below
        model = open_clip.create_model(settings.model, precision=settings.precision, load_weights=False)
    visual = model.visual
    if not hasattr(visual, "ln_post") or not hasattr(visual, "proj"):
        raise ConfigurationError(
            f"encoder.open_clip.model: {settings.model} has no feature before a projection; name a ViT of open_clip"
        )
    try:
        visual.load_state_dict(_image_tower(_read(path)), strict=True)
    except RuntimeError as error:
        raise _unfit(settings, path, error) from error
    if not all(bool(tensor.isfinite().all()) for tensor in visual.state_dict().values()):
        raise ConfigurationError(f"encoder.open_clip: {path} holds weights that are not finite; fetch the file again")
    visual.proj = None
    return visual.eval().requires_grad_(False)


def _read(path: Path) -> Mapping[str, Any]:
    """The tensors of a weights file by name; nothing in it is executed."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path, device="cpu"))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, pickle.UnpicklingError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigurationError(
            f"encoder.open_clip: {path} cannot be read as weights: {reason}; "
            "give a state dict as .safetensors or .pt (not a TorchScript archive)"
        ) from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]  # as training scripts save it
    if not isinstance(loaded, dict) or not all(torch.is_tensor(value) for value in loaded.values()):
        raise ConfigurationError(f"encoder.open_clip: {path} is no state dict; give one as .safetensors or .pt")
    return loaded


def _image_tower(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of the image tower, under its own names."""
    bare = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return {name.removeprefix("visual."): tensor for name, tensor in bare.items() if name.startswith("visual.")}


def _unfit(settings: OpenClipSettings, path: Path, error: RuntimeError) -> ConfigurationError:
    reason = " ".join(str(error).split())[:200]
    return ConfigurationError(
        f"encoder.open_clip: {path} holds no weights for {settings.model}: {reason}; name the model they belong to"
    )


@contextmanager
def _without_the_warning_of_random_weights() -> Iterator[None]:
    def others(record: logging.LogRecord) -> bool:
        return record.funcName != "create_model"

    root = logging.getLogger()
    root.addFilter(others)
    try:
        yield
    finally:
        root.removeFilter(others)


def _transform(kind: str, side: int) -> Callable[[Any], Any]:
    from torchvision import transforms

    # The paper resizes with torchvision's default, bilinear; CLIP itself with bicubic. Both on uint8 by Pillow.
    mode = transforms.InterpolationMode.BILINEAR if kind == "paper" else transforms.InterpolationMode.BICUBIC
    steps: Callable[[Any], Any] = transforms.Compose(
        [
            transforms.Resize(side, interpolation=mode),
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            transforms.Normalize(_MEAN, _STD),
        ]
    )
    return steps


def _device(wanted: str) -> Any:
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if available[name]))
    if not available[wanted]:
        raise ConfigurationError(f"encoder.open_clip.device: torch finds no {wanted} here; use auto or cpu")
    return torch.device(wanted)


def _side(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else int(size[0])


def _digest(path: Path) -> str:
    """sha256 of the file; the hub's cache names large files by it, and then it must be right."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    promised = path.resolve().name
    if path.is_symlink() and len(promised) == _SHA256_LENGTH and promised != digest:
        raise ConfigurationError(
            f"encoder.open_clip: {path} does not match the sha256 that the hub gave; delete it and fetch it again"
        )
    return digest


def _fingerprint(**parts: object) -> str:
    text = json.dumps({"encoder": "open_clip", "feature": "pooled", **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
