"""Colour, saturation, tone and gradient statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forensic.window import Plane, Window, across, down

GRADIENT_EDGES = np.array([0.7, 1.5, 3, 6, 12, 24, 48, 96], dtype=np.float32)
DIRECTIONS = 8


def _shares(index: NDArray[np.intp], count: int, weights: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
    """Log share of each bin, floored at half a percent."""
    histogram = np.bincount(index.ravel(), None if weights is None else weights.ravel(), minlength=count)
    return np.asarray(np.log(histogram / (histogram.sum() + 1e-3) + 0.005))


def _shape(plane: Plane) -> list[float]:
    """Mean, spread, skewness, kurtosis of a plane of 0-255."""
    mean = float(plane.mean())
    centred = plane - np.float32(mean)
    squares = centred * centred
    variance = float(squares.mean()) + 0.1
    skewness = float((squares * centred).mean()) / variance**1.5
    return [
        mean / 64,
        np.log(variance) / 2,
        np.tanh(skewness),
        np.log(float((squares * squares).mean()) / variance**2 + 0.5),
    ]


def _correlation(left: Plane, right: Plane) -> float:
    """Correlation of two planes."""
    first, second = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((first * first).mean() * (second * second).mean()))
    return float((first * second).mean()) / (scale + 0.5)


def colours(window: Window) -> NDArray[np.float64]:
    """Moments and correlations of tone and colour, clipping, greyness, saturation (27).

    Every second pixel of both axes is read.

    Source: McCloskey and Albright, "Detecting GAN-generated imagery using saturation cues", 2019; Li et
    al., "Identification of deep network generated images using disparities in color components", 2020.
    """
    red, green, blue = window.red[::2, ::2], window.green[::2, ::2], window.blue[::2, ::2]
    luma, red_green, blue_green = (
        window.luma[::2, ::2],
        window.red_green[::2, ::2],
        window.blue_green[::2, ::2],
    )
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    chroma = high - low
    saturation = chroma / (high + np.float32(1))
    extremes = [low < 0.5, low < 3, high > 252, high > 254.5, low > 252, chroma < 2.5, saturation > 0.98]
    return np.concatenate(
        [
            *(_shape(plane) for plane in (luma, red_green, chroma)),
            [_correlation(red, green), _correlation(blue, green), _correlation(red_green, blue_green)],
            [_correlation(luma, chroma), _correlation(luma, np.asarray(saturation * np.float32(100)))],
            [np.log(float(mask.mean()) + 0.002) for mask in extremes],
            [float(saturation.mean()), float(saturation.std()), np.log(float(chroma.std()) + 0.5)],
        ]
    )


def _gradients(plane: Plane) -> NDArray[np.float64]:
    """Histogram of gradient size, and for each direction its share of the gradient (17)."""
    horizontal, vertical = across(plane)[:-1], down(plane)[:, :-1]
    size = np.hypot(horizontal, vertical)
    angle = np.arctan2(vertical, horizontal)
    direction = (angle * np.float32(DIRECTIONS / np.pi) + np.float32(2 * DIRECTIONS + 0.5)).astype(np.intp) % DIRECTIONS
    bins = np.searchsorted(GRADIENT_EDGES, size.ravel())
    return np.concatenate(
        [
            _shares(bins, len(GRADIENT_EDGES) + 1),
            _shares(direction, DIRECTIONS, np.minimum(size, np.float32(32))),
        ]
    )


def gradients(window: Window) -> NDArray[np.float64]:
    """Gradient histograms of luminance at quarter size, and ratios of gradients (20).

    Source: Lyu and Farid 2005; Torralba and Oliva, "Statistics of natural image categories", 2003.
    """
    luma = float(np.abs(window.green_residuals.across1).mean()) + 0.1
    half = float(np.abs(window.half_residuals.across1).mean()) + 0.1
    quarter = float(np.abs(window.quarter_residuals.across1).mean()) + 0.1
    colour = float(np.abs(window.red_green_residuals.across1).mean()) + 0.1
    ratios = [np.log(half / luma), np.log(quarter / half), np.log(colour / luma)]
    return np.concatenate([_gradients(window.quarter), ratios])
