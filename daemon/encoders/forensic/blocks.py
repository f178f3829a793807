"""8x8 block statistics: DCT coefficients, local variance, noise against brightness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from daemon.encoders.forensic.window import BLOCK, Plane, Window

BRIGHTNESS_BINS = 8
PERCENTILES = (5, 20, 50, 80, 95)

_BASIS = fft.dct(np.eye(BLOCK), axis=0, norm="ortho")
_TRANSFORM = np.kron(_BASIS, _BASIS).T.astype(np.float32)  # (64 pixels, 64 coefficients)
# Coefficients (i, j) and (j, i) are pooled: 35 classes without the mean.
_PAIRS = [(i, j) for i in range(BLOCK) for j in range(i, BLOCK) if i + j]
_CLASSES = np.array(
    [
        [float((r, c) in ((i, j), (j, i))) / (1 if i == j else 2) for r in range(BLOCK) for c in range(BLOCK)]
        for i, j in _PAIRS
    ]
)  # (35, 64)


def _coefficients(plane: Plane) -> NDArray[np.float32]:
    """DCT of every aligned 8x8 block, (blocks, 64)."""
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    cut = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return cut.transpose(0, 2, 1, 3).reshape(-1, BLOCK * BLOCK) @ _TRANSFORM


def _map_statistics(logs: NDArray[np.float32]) -> list[float]:
    """Percentiles, spread and smoothness of a map of block values (rows, columns)."""
    percentiles = np.percentile(logs, PERCENTILES).tolist()
    centred = logs - logs.mean()
    variance = float((centred**2).mean())
    steps = float((np.diff(logs, axis=1) ** 2).mean()) + float((np.diff(logs, axis=0) ** 2).mean())
    return [*percentiles, np.log(variance + 0.01), np.log((steps + 0.01) / (4 * variance + 0.01))]


def _by_brightness(brightness: NDArray[np.float32], logs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of block values in each of eight bins of brightness, less the mean of all; 0 in empty bins."""
    bins = np.clip(brightness.ravel() * (BRIGHTNESS_BINS / 256.0), 0, BRIGHTNESS_BINS - 1).astype(np.intp)
    values = logs.ravel().astype(np.float64)
    count = np.bincount(bins, minlength=BRIGHTNESS_BINS)
    total = np.bincount(bins, weights=values - values.mean(), minlength=BRIGHTNESS_BINS)
    return total / (count + 0.01 * len(bins))


def blocks(window: Window) -> NDArray[np.float64]:
    """Scale and zeros of DCT coefficients; maps of local variance and of noise (101).

    Source: Lam and Goodman, "A mathematical analysis of the DCT coefficient distributions for images",
    2000; Fan and de Queiroz 2003; Liu et al., "Noise estimation from a single image", 2006 (noise level
    function); Mahdian and Saic, "Using noise inconsistencies for blind image forensics", 2009.
    """
    rows, columns = window.luma.shape[0] // BLOCK, window.luma.shape[1] // BLOCK
    coefficients = _coefficients(window.luma)
    sizes = np.abs(coefficients)
    squares = coefficients * coefficients
    first = sizes.mean(axis=0).astype(np.float64)
    zeros = (sizes < np.float32(0.5)).mean(axis=0)
    brightness = coefficients[:, 0] / np.float32(BLOCK)
    variance = np.log(squares[:, 1:].sum(axis=1) / np.float32(63) + np.float32(0.1)).reshape(rows, columns)
    noise = np.log(window.noise_blocks + np.float32(0.1))
    centred_noise, centred_variance = noise - noise.mean(), variance - variance.mean()
    spread = float(np.sqrt((centred_noise**2).mean() * (centred_variance**2).mean()))
    together = float((centred_noise * centred_variance).mean()) / (spread + 0.01)
    return np.concatenate(
        [
            _CLASSES @ np.log(first + 0.1),
            _CLASSES @ zeros,
            _map_statistics(variance),
            _map_statistics(noise),
            [together],
            _by_brightness(brightness, noise),
            _by_brightness(brightness, variance),
        ]
    )
