"""Texture at three scales: which of the eight neighbours are brighter than the pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forensic.window import Plane, Window

STEP = np.float32(0.5)  # grey levels by which a neighbour must be brighter: flat areas have a code of their own
FLOOR = 1e-3  # added to a class's share before the logarithm
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))  # around the pixel, from a corner on


def _classes() -> NDArray[np.intp]:
    """Class of each of the 256 codes under quarter turns and mirroring, (256,): 51 classes."""
    names: dict[tuple[int, ...], int] = {}
    classes = np.empty(256, dtype=np.intp)
    for code in range(256):
        bits = [code >> bit & 1 for bit in range(8)]
        turned = [bits[turn:] + bits[:turn] for turn in range(0, 8, 2)]
        alike = turned + [[one[0], *one[:0:-1]] for one in turned]
        classes[code] = names.setdefault(min(tuple(one) for one in alike), len(names))
    return classes


_CLASSES = _classes()


def _codes(plane: Plane) -> NDArray[np.uint8]:
    """One bit per neighbour, (h - 2, w - 2)."""
    height, width = plane.shape[0] - 2, plane.shape[1] - 2
    threshold = plane[1:-1, 1:-1] + STEP
    codes = np.zeros((height, width), np.uint8)
    for bit, (top, left) in enumerate(_RING):
        brighter = plane[top : top + height, left : left + width] >= threshold
        codes |= brighter.view(np.uint8) << np.uint8(bit)
    return codes


def textures(window: Window) -> NDArray[np.float64]:
    """Local binary patterns of luminance at full, half and quarter size, up to turns and mirroring (153).

    The order of neighbours, unlike their difference, survives a change of contrast.

    Source: Ojala et al., "Multiresolution gray-scale and rotation invariant texture classification with
    local binary patterns", 2002; Shi et al., "Textural features for steganalysis", 2012.
    """
    found = []
    for plane in (window.luma, window.half, window.quarter):
        counts = np.bincount(_codes(plane).ravel(), minlength=256)
        shares = np.bincount(_CLASSES, weights=counts) / counts.sum()
        found.append(np.log(shares + FLOOR))
    return np.concatenate(found)
