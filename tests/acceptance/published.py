"""The paper's published heads on its example pictures, computed from our encoder's vectors and by nothing of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from daemon.encoders.open_clip import OpenClipEncoder
from daemon.intake.decode import Limits, decode

# What the published notebooks report with OpenAI's weights.
PICTURES = ("synthetic2.jpg", "synthetic3.jpg", "real1.png", "real2.png", "real3.png", "synthetic1.png")
PROBABILITIES = {
    "clip_orthogonal_combined.ckpt": (0.696, 0.444, 0.098, 0.439, 0.414, 0.316),
    "linear_probe_combined.ckpt": (0.736, 0.233, 0.070, 0.317, 0.284, 0.256),
}
_LIMITS = Limits(max_bytes=50 * 2**20, max_pixels=40_000_000, min_side=64)


def vectors(encoder: OpenClipEncoder, paper: Path) -> NDArray[np.float32]:
    """(6, d) of the example pictures, decoded as the service decodes."""
    contents = [(paper / "examples" / name).read_bytes() for name in PICTURES]
    return encoder.encode_batch([decode(content, _LIMITS) for content in contents])


def probabilities(checkpoint: Path, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) the sigmoid of the head's logits, in float64."""
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    state = {name.removeprefix("model.classification_head."): value.double() for name, value in loaded.items()}
    found = torch.from_numpy(features).double()
    for layer in ("layers.0", "to_logits", "fc"):
        if f"{layer}.weight" in state:
            found = torch.nn.functional.linear(found, state[f"{layer}.weight"], state[f"{layer}.bias"])
    assert found.shape == (len(features), 1)
    return torch.sigmoid(found[:, 0]).numpy()
