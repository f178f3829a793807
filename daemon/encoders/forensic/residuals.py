"""Moments of the residuals, their correlation at lags and between channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forensic.window import Plane, Residuals, Window, dot

EPSILON = 0.02  # squared grey levels; far under the quantisation noise of 8 bits, 1/12
SELF_LAGS = (
    *((0, x) for x in range(1, 9)),
    *((y, 0) for y in range(1, 9)),
    (1, 1), (1, -1), (2, 2), (2, -2), (4, 4), (8, 8),
)  # fmt: skip
COLOUR_LAGS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 2), (0, 4), (4, 0))
CROSS_LAGS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0))


def _moments(residual: Plane) -> tuple[float, float, float]:
    """Log mean absolute value and the two log ratios that tell the shape of the distribution."""
    flat = residual.ravel()
    squared = flat * flat
    first = float(np.abs(flat).mean())
    second = float(squared.mean())
    fourth = dot(squared, squared) / len(flat)
    return (
        float(np.log(first + 0.05)),
        float(np.log((second + EPSILON) / (first * first + EPSILON))),
        float(np.log((fourth + EPSILON) / (second * second + EPSILON))),
    )


def moments(window: Window) -> NDArray[np.float64]:
    """Log mean absolute value and two log kurtosis ratios of the square residual of five planes (15).

    Green, R - G, B - G, and the luminance at half and quarter size.

    Source: Fridrich and Kodovsky 2012 (the filters); Lyu and Farid, "How realistic is photorealistic?",
    2005 (moments of high-pass bands at several scales).
    """
    planes: tuple[Residuals, ...] = (
        window.green_residuals,
        window.red_green_residuals,
        window.blue_green_residuals,
        window.half_residuals,
        window.quarter_residuals,
    )
    return np.array([value for plane in planes for value in _moments(plane.square)])


def _lagged(left: Plane, right: Plane, lags: tuple[tuple[int, int], ...]) -> list[float]:
    """Correlation of two equal-sized residuals at lags (down, across).

    A lag is one offset into the flattened planes: the few pixels that wrap to the next row do not matter.
    """
    first, second = left.ravel(), right.ravel()
    scale = float(np.sqrt(dot(first, first) * dot(second, second))) + EPSILON * len(first)
    found = []
    for y, x in lags:
        offset = y * left.shape[1] + x
        found.append(dot(first[: len(first) - offset], second[offset:]) / scale)
    return found


def correlations(window: Window) -> NDArray[np.float64]:
    """Autocorrelation of the residual of luminance and colour, correlation between channels (66).

    Source: Popescu and Farid, "Exposing digital forgeries by detecting traces of resampling", 2005;
    Chen et al., "Determining image origin and integrity using sensor noise", 2008 (channels share the
    noise that a demosaicing left).
    """
    green = window.green_residuals.square
    red_green, blue_green = window.red_green_residuals.square, window.blue_green_residuals.square
    half = window.half_residuals.square
    red, blue = red_green + green, blue_green + green
    return np.array(
        [
            *_lagged(green, green, SELF_LAGS),
            *_lagged(red_green, red_green, COLOUR_LAGS),
            *_lagged(blue_green, blue_green, COLOUR_LAGS),
            *_lagged(half, half, COLOUR_LAGS),
            *_lagged(red, green, CROSS_LAGS),
            *_lagged(blue, green, CROSS_LAGS),
            *_lagged(red, blue, CROSS_LAGS[:2]),
            *_lagged(red_green, blue_green, CROSS_LAGS[:2]),
            *_lagged(red_green, green, CROSS_LAGS[:2]),
            *_lagged(blue_green, green, CROSS_LAGS[:2]),
        ]
    )
