"""How the residuals of channels and of neighbouring scales hang together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forensic.window import Plane, Residuals, Window, halved

FLOOR = 0.05  # grey levels, added to sizes before ratios and logarithms


def _correlation(left: Plane, right: Plane) -> float:
    """Correlation of two planes of one shape."""
    first, second = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((first * first).mean() * (second * second).mean()))
    return float((first * second).mean()) / (scale + FLOOR)


def _between_scales(finer: Plane, coarser: Plane) -> list[float]:
    """How residual sizes of one scale go with those of the next, and the log ratio of their means."""
    parents = halved(finer)
    height, width = min(parents.shape[0] - 1, coarser.shape[0]), min(parents.shape[1] - 1, coarser.shape[1])
    children, parents = coarser[:height, :width], parents[:height, :width]
    return [
        _correlation(parents, children),
        np.log((float(finer.mean()) + FLOOR) / (float(coarser.mean()) + FLOOR)),
        _correlation(np.log(parents + np.float32(0.3)), np.log(children + np.float32(0.3))),
    ]


def scales(window: Window) -> NDArray[np.float64]:
    """Colour against luminance and channel against channel at four scales, and scale against scale (30).

    Green stands for luminance at full size.

    Source: Lyu and Farid, "How realistic is photorealistic?", 2005 (a coefficient predicted from its
    neighbours in scale and colour); Portilla and Simoncelli, "A parametric texture model based on joint
    statistics of complex wavelet coefficients", 2000 (sizes of parents and children).
    """
    found: list[float] = []
    sizes = []
    lumas = (window.green_residuals, window.half_residuals, window.quarter_residuals, Residuals(window.eighth))
    red_greens = (window.red_green_residuals, *map(Residuals, window.reds_greens))
    blue_greens = (window.blue_green_residuals, *map(Residuals, window.blues_greens))
    for scale in range(4):
        red_green, blue_green = red_greens[scale].square, blue_greens[scale].square
        if scale:
            green = Residuals(window.greens[scale - 1]).square
            red, blue = red_green + green, blue_green + green
            found += [_correlation(red, green), _correlation(blue, green), _correlation(red, blue)]
        size = np.abs(lumas[scale].square)
        colour = np.abs(red_green) + np.abs(blue_green)
        mean = float(size.mean()) + FLOOR
        found += [np.log((float(colour.mean()) + FLOOR) / mean), _correlation(size, colour)]
        found += [np.log(float((size * size).mean()) / mean**2 + 0.01)]
        sizes.append(size)
    for finer, coarser in pairwise(sizes):
        found += _between_scales(finer, coarser)
    return np.array(found)
