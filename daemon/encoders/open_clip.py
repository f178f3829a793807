"""The paper's encoder: a frozen CLIP image tower, its pooled feature before the projection (method.md, section 1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.architecture import load_image_tower, model_config
from daemon.encoders.exported import openvino_forward, require_openvino
from daemon.encoders.forward import Forward, computes_bfloat16, torch_forward
from daemon.encoders.weights import locate_weights
from daemon.encoders.weights_file import digest, read_tensors
from daemon.errors import ConfigurationError
from daemon.settings import OpenClipSettings

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_DEFAULT_SIZE = 224  # pixels, where a model of open_clip states none


class OpenClipEncoder:
    """Any open_clip image tower with its weights from a file or the hub cache; never random ones.

    settings: `encoder.open_clip`. threads: of the CPU; None: the library's own choice. announce: told before a
    download or an export starts, and of a precision that is slow here. Raises WeightsMissing, ConfigurationError
    (unknown model, weights that do not fit, an activation that is not the stated one, a device or a backend that is
    not there).

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
        if settings.backend == "openvino":
            require_openvino()
        path = locate_weights(settings, announce=announce)

        import torch  # only now: that weights are missing must be said at once

        if threads is not None:
            torch.set_num_threads(threads)
        config = model_config(settings)
        architecture = {"vision": config["vision_cfg"], "quick_gelu": bool(config.get("quick_gelu"))}
        weights = digest(path)
        device = _device(settings)
        side = _side(config["vision_cfg"].get("image_size", _DEFAULT_SIZE))
        self._batch_size = settings.batch_size
        self._transform = _transform(settings.transform, side)
        self._forward: Forward
        if settings.backend == "openvino":
            self._forward = openvino_forward(
                lambda: load_image_tower(settings, path, read_tensors(path)),
                {"weights": weights, "architecture": architecture},
                size=side,
                precision=settings.precision,
                threads=threads,
                folder=settings.compiled_dir,
                announce=announce,
            )
        else:
            emulated = settings.precision == "bf16" and device.type == "cpu" and not computes_bfloat16()
            if emulated and announce is not None:
                announce("this CPU has no instructions for bfloat16: precision: bf16 is slower on it than fp32")
            visual = load_image_tower(settings, path, read_tensors(path))
            self._forward = torch_forward(visual, device, settings.precision)
        self.dimension: int = self._forward(np.zeros((1, 3, side, side), np.float32)).shape[1]
        # The libraries' versions are not part of it: they move values by rounding alone, and when one ever does more
        # the golden picture tells. The kind of device is: CUDA convolves in TF32.
        self.fingerprint: str = _fingerprint(
            weights=weights,
            architecture=architecture,
            transform=f"{settings.transform} {side}",
            precision=settings.precision,
            backend=f"{settings.backend} {device.type}",
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
        for start in range(0, len(prepared), self._batch_size):
            rows.append(self._forward(np.stack(prepared[start : start + self._batch_size])))
        return np.concatenate(rows)


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


def _device(settings: OpenClipSettings) -> Any:
    import torch

    wanted = settings.device
    if settings.backend == "openvino":
        if wanted not in ("auto", "cpu"):
            raise ConfigurationError(
                f"encoder.open_clip.device is {wanted} and backend openvino runs on the CPU; use auto or cpu"
            )
        return torch.device("cpu")
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if available[name]))
    if not available[wanted]:
        raise ConfigurationError(f"encoder.open_clip.device: torch finds no {wanted} here; use auto or cpu")
    return torch.device(wanted)


def _side(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else int(size[0])


def _fingerprint(**parts: object) -> str:
    text = json.dumps({"encoder": "open_clip", "feature": "pooled", **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
