"""Quantised co-occurrences of the residuals, folded by their symmetries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forensic.window import Plane, Window

FLOOR = 2e-4  # added to a bin's share before the logarithm: a bin of 512 px counts from about 50 pixels on
Levels = NDArray[np.int8]


def _classes(levels: int) -> NDArray[np.intp]:
    """Class of every triple of levels under a change of sign and under reversal, (levels ** 3,)."""
    names: dict[int, int] = {}
    classes = np.empty(levels**3, dtype=np.intp)
    for index in range(levels**3):
        triple = (index // levels**2, index // levels % levels, index % levels)
        alike = [triple, tuple(levels - 1 - level for level in triple)]
        alike += [one[::-1] for one in alike]
        first = min((a * levels + b) * levels + c for a, b, c in alike)
        classes[index] = names.setdefault(first, len(names))
    return classes


IN_LINE = _classes(5)  # 39 classes
COARSE = _classes(3)  # 10 classes


def _quantised(residual: Plane, step: float, bound: int) -> Levels:
    """Levels 0 .. 2 * bound of a residual in units of `step`."""
    scaled = np.rint(residual * np.float32(1.0 / step))
    return np.asarray((np.clip(scaled, -bound, bound) + np.float32(bound)).astype(np.int8))


def _relative(residual: Plane, bound: int) -> Levels:
    """Levels of a residual in units of its own mean size."""
    return _quantised(residual, max(0.25, float(np.abs(residual).mean())), bound)


def _triples(first: Levels, second: Levels, third: Levels, levels: int) -> NDArray[np.intp]:
    """Histogram of triples, (levels ** 3,)."""
    index = (first * np.int8(levels) + second).astype(np.uint8) * np.uint8(levels) + third.astype(np.uint8)
    return np.bincount(index.ravel(), minlength=levels**3)


def _along(quantised: Levels, levels: int) -> NDArray[np.intp]:
    """Triples along the rows."""
    return _triples(quantised[:, :-2], quantised[:, 1:-1], quantised[:, 2:], levels)


def _upright(quantised: Levels, levels: int) -> NDArray[np.intp]:
    """Triples along the columns."""
    return _triples(quantised[:-2], quantised[1:-1], quantised[2:], levels)


def _folded(histogram: NDArray[np.intp], classes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Log share of each class; a class of several triples counts their mean."""
    counts = np.bincount(classes, weights=histogram)
    shares = counts / np.bincount(classes) / max(1, int(histogram.sum()))
    return np.asarray(np.log(shares + FLOOR) - np.log(FLOOR))


def cooccurrences(window: Window) -> NDArray[np.float64]:
    """Third-order co-occurrences of the residuals of green, half-size luminance and colour (137).

    Source: Fridrich and Kodovsky 2012 (SRM); Pevny et al., "Steganalysis by subtractive pixel adjacency
    matrix", 2010; Nataraj et al., "Detecting GAN generated fake images using co-occurrence matrices", 2019.
    """
    green = window.green_residuals
    across2, down2 = _quantised(green.across2, 1.5, 2), _quantised(green.down2, 1.5, 2)
    square = _quantised(green.square, 2.0, 2)
    relative = _relative(window.half_residuals.square, 2)
    red_green = _quantised(window.red_green_residuals.square, 2.0, 1)
    blue_green = _quantised(window.blue_green_residuals.square, 2.0, 1)
    return np.concatenate(
        [
            _folded(_along(across2, 5) + _upright(down2, 5), IN_LINE),
            _folded(_along(square, 5) + _upright(square, 5), IN_LINE),
            _folded(_along(relative, 5) + _upright(relative, 5), IN_LINE),
            _folded(_along(red_green, 3) + _upright(red_green, 3), COARSE),
            _folded(_along(blue_green, 3) + _upright(blue_green, 3), COARSE),
        ]
    )


def coarse_cooccurrences(window: Window) -> NDArray[np.float64]:
    """Third-order co-occurrences at half and quarter size, where less of a JPEG is left (137).

    In grey levels at both sizes; in units of the residual's own size at quarter size and for colour.

    Source: as `cooccurrences`; the scales as in Farid and Lyu, "Higher-order wavelet statistics and their
    application to digital forensics", 2003.
    """
    half = _quantised(window.half_residuals.square, 2.0, 2)
    quarter = _quantised(window.quarter_residuals.square, 4.0, 2)
    relative = _relative(window.quarter_residuals.square, 2)
    colours = [_relative(residuals.square, 1) for residuals in window.half_colour_residuals]
    return np.concatenate(
        [
            *(_folded(_along(plane, 5) + _upright(plane, 5), IN_LINE) for plane in (half, quarter, relative)),
            *(_folded(_along(plane, 3) + _upright(plane, 3), COARSE) for plane in colours),
        ]
    )
