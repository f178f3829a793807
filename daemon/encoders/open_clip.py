"""The paper's encoder: a frozen CLIP image tower, its pooled feature before the projection (method.md, section 1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.architecture import load_image_tower, model_config
from daemon.encoders.weights import locate_weights
from daemon.encoders.weights_file import digest, read_tensors
from daemon.errors import ConfigurationError
from daemon.settings import OpenClipSettings

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


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
        config = model_config(settings)
        self._torch = torch
        self._device = _device(settings.device)
        self._batch_size = settings.batch_size
        self._visual = load_image_tower(settings, path, read_tensors(path)).to(self._device)
        self._size = _side(self._visual.image_size)
        self._transform = _transform(settings.transform, self._size)
        self.dimension: int = len(self._visual.ln_post.bias)
        self.fingerprint: str = _fingerprint(
            weights=digest(path),
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


def _fingerprint(**parts: object) -> str:
    text = json.dumps({"encoder": "open_clip", "feature": "pooled", **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
