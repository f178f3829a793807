"""Periodic traces: upsampling, demosaicing and JPEG grids seen as phases of the residual."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forensic.window import Plane, Window

PERIOD = 8
CELLS = (
    (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 2), (4, 4), (2, 4), (4, 2),
)  # fmt: skip
FLOOR = 3e-3  # a relative amplitude under this drowns in the sampling noise of a 512 px picture


def _phases(plane: Plane, period: int) -> NDArray[np.float64]:
    """Mean of a plane at each phase of a period x period grid."""
    rows, columns = plane.shape[0] // period, plane.shape[1] // period
    cut = plane[: rows * period, : columns * period].reshape(rows, -1)
    folded = cut.sum(axis=0).reshape(period, columns, period).sum(axis=1)
    return np.asarray(folded.astype(np.float64) / (rows * columns))


def _amplitudes(plane: Plane, scale: float) -> NDArray[np.float64]:
    """Log amplitude of the listed spatial frequencies k/8, relative to `scale`; free of the grid's offset."""
    spectrum = np.abs(np.fft.fft2(_phases(plane, PERIOD))) / PERIOD**2
    return np.log(np.array([spectrum[cell] for cell in CELLS]) / scale + FLOOR)


def _profile(differences: Plane, axis: int, period: int) -> NDArray[np.float64]:
    """Log amplitudes of the periodic part of mean |first difference| along one axis."""
    means = np.abs(differences).mean(axis=axis)
    count = len(means) // period
    phases = means[: count * period].reshape(count, period).mean(axis=0).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(phases)) / period
    return np.asarray(np.log(spectrum[1:] / (spectrum[0] + 0.1) + FLOOR))


def grids(window: Window) -> NDArray[np.float64]:
    """Amplitudes at k/8 of the residual and of its size, for green and colour, and blockiness (84).

    Frequencies 1/2, 1/4 and 1/8 are those of 2x, 4x and 8x upsampling; (1/2, 1/2) is the Bayer
    mosaic's; 1/8 and its multiples are JPEG's, 1/16 that of subsampled colour.

    Source: Zhang et al., "Detecting and simulating artifacts in GAN fake images", 2019; Swaminathan et
    al., "Nonintrusive component forensics of visual sensors", 2007, and Gallagher and Chen, "Image
    authentication by detecting traces of demosaicing", 2008; Fan and de Queiroz, "Identification of
    bitmap compression history", 2003.
    """
    found = []
    for residuals in (window.green_residuals, window.red_green_residuals, window.blue_green_residuals):
        size = np.abs(residuals.square)
        scale = float(size.mean()) + 0.1
        found.append(_amplitudes(size, scale))
        if residuals is not window.blue_green_residuals:
            found.append(_amplitudes(residuals.square, scale))
    green, colour = window.green_residuals, window.red_green_residuals
    found += [
        _profile(green.across1, 0, PERIOD),
        _profile(green.down1, 1, PERIOD),
        _profile(colour.across1, 0, 2 * PERIOD)[:6],
        _profile(colour.down1, 1, 2 * PERIOD)[:5],
    ]
    return np.concatenate(found)
