"""Natural-scene statistics: luminance normalised by its surroundings, and products of neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from daemon.encoders.forensic.window import Plane, Window

REACH = 7  # pixels, side of the surroundings


def _normalised(plane: Plane) -> Plane:
    """The plane less its local mean, over its local spread."""
    mean = ndimage.uniform_filter(plane, REACH)
    square = ndimage.uniform_filter(plane * plane, REACH)
    spread = np.sqrt(np.maximum(square - mean * mean, np.float32(0)))
    return np.asarray((plane - mean) / (spread + np.float32(1)))


def _sides(product: Plane) -> list[float]:
    """Mean of a product of neighbours, and size of its negative and positive half."""
    negative = float(np.minimum(product, np.float32(0)).mean())
    positive = float(np.maximum(product, np.float32(0)).mean())
    size = float(np.sqrt((product * product).mean()))
    return [positive + negative, np.log(0.01 - negative), np.log(0.01 + positive), np.log(0.01 + size)]


def _statistics(plane: Plane) -> list[float]:
    """Shape of the normalised luminance and of its products with four neighbours (20)."""
    normalised = _normalised(plane)
    squares = normalised * normalised
    first, second = float(np.abs(normalised).mean()), float(squares.mean())
    fourth = float((squares * squares).mean())
    third = float((squares * normalised).mean())
    found = [
        first,
        np.log(second + 0.01),
        np.log((fourth + 0.01) / (second**2 + 0.01)),
        third / (second**1.5 + 0.01),
    ]
    for product in (
        normalised[:, 1:] * normalised[:, :-1],
        normalised[1:] * normalised[:-1],
        normalised[1:, 1:] * normalised[:-1, :-1],
        normalised[1:, :-1] * normalised[:-1, 1:],
    ):
        found += _sides(product)
    return found


def naturalness(window: Window) -> NDArray[np.float64]:
    """Normalised luminance at half and quarter size (40).

    Source: Mittal et al., "No-reference image quality assessment in the spatial domain", 2012 (BRISQUE);
    Ruderman, "The statistics of natural images", 1994.
    """
    return np.array([value for plane in (window.half, window.quarter) for value in _statistics(plane)])
