"""The forward pass of an image tower: prepared pictures in, pooled features out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Prepared = NDArray[np.float32]  # (n, 3, s, s)
Forward = Callable[[Prepared], NDArray[np.float32]]  # -> (n, d)
Precision = Literal["fp32", "bf16"]


def torch_forward(visual: Any, device: Any, precision: Precision) -> Forward:
    """torch, eager.

    visual: the image tower without its projection, float32. precision: `bf16` converts the weights once. Autocast
    converts them again in every pass and is slower than float32 on a CPU (measured: 5 pictures/s against 19).
    """
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    model = visual.to(device=device, dtype=kind)

    def forward(prepared: Prepared) -> NDArray[np.float32]:
        with torch.inference_mode():
            batch = torch.from_numpy(prepared).to(device=device, dtype=kind)
            found: NDArray[np.float32] = model(batch).float().cpu().numpy()
            return found

    return forward


def computes_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16; without them torch computes it in software, many times slower."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
