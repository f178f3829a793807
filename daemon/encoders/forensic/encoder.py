"""One feature vector per picture: the documented groups side by side, averaged over windows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forensic.blocks import blocks
from daemon.encoders.forensic.colour import colours, gradients
from daemon.encoders.forensic.cooccurrence import coarse_cooccurrences, cooccurrences
from daemon.encoders.forensic.grid import grids
from daemon.encoders.forensic.natural import naturalness
from daemon.encoders.forensic.residuals import correlations, moments
from daemon.encoders.forensic.scales import scales
from daemon.encoders.forensic.spectrum import coarse_spectra, spectra
from daemon.encoders.forensic.texture import textures
from daemon.encoders.forensic.window import Window
from daemon.errors import ImageRejected

FEATURES_VERSION = 2  # raise it with every change that can move a value: vectors of two versions never meet
SMALLEST_SIDE = 64  # pixels
WINDOW_SIDE = 512  # pixels
BOUND = 1000.0  # no feature comes near it; far under the largest float16


class Group(NamedTuple):
    """One documented group of features."""

    name: str
    function: Callable[[Window], NDArray[np.float64]]
    size: int
    description: str  # one line for people


GROUPS = (
    Group("residual_moments", moments, 15, "how strong the noise is and how heavy its tails"),
    Group("residual_correlations", correlations, 66, "how noise goes on to the next pixels and from colour to colour"),
    Group("cooccurrences", cooccurrences, 137, "which steps of brightness and colour follow each other"),
    Group("coarse_cooccurrences", coarse_cooccurrences, 137, "the same steps at half and quarter size"),
    Group("grids", grids, 84, "periodic traces of upsampling, of a camera's colour mosaic, of JPEG blocks"),
    Group("spectra", spectra, 116, "how much detail there is of each fineness and direction, and peaks in it"),
    Group("coarse_spectra", coarse_spectra, 112, "the same at half and quarter size, where recoding leaves more"),
    Group("blocks", blocks, 101, "coefficients of 8x8 blocks; noise against brightness and detail"),
    Group("colours", colours, 27, "tone, saturation, clipped and grey areas"),
    Group("gradients", gradients, 20, "how steep edges are and where they point"),
    Group("naturalness", naturalness, 40, "brightness beside its surroundings, as in natural scenes"),
    Group("textures", textures, 153, "which neighbours are brighter than a pixel, at three sizes"),
    Group("scales", scales, 30, "how fine detail goes with coarse, and colour with brightness"),
)


def _offsets(side: int) -> tuple[int, ...]:
    """Where windows start along an axis: one in the middle, two from 1.5 windows on.

    Multiples of 16 from the corner keep JPEG's blocks (and those of subsampled colour) in phase.
    """
    if side <= WINDOW_SIDE:
        return (0,)
    spare = side - WINDOW_SIDE
    if 2 * side < 3 * WINDOW_SIDE:
        return (spare // 32 * 16,)
    return (spare // 64 * 16, 3 * spare // 64 * 16)


def windows(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The one, two or four windows of at most 512 x 512 that stand for a picture.

    Args:
        picture: uint8, (h, w, 3), RGB.

    Returns:
        Views into the picture.
    """
    return [
        picture[top : top + WINDOW_SIDE, left : left + WINDOW_SIDE]
        for top in _offsets(picture.shape[0])
        for left in _offsets(picture.shape[1])
    ]


def _fingerprint() -> str:
    """Sha256 over canonical JSON of everything that decides the values."""
    described = {
        "name": ForensicEncoder.name,
        "features_version": FEATURES_VERSION,
        "groups": [[group.name, group.size] for group in GROUPS],
        "smallest_side": SMALLEST_SIDE,
        "window_side": WINDOW_SIDE,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _slices() -> tuple[tuple[str, slice], ...]:
    """Name and columns of each group."""
    ends = np.cumsum([group.size for group in GROUPS]).tolist()
    return tuple((group.name, slice(end - group.size, end)) for group, end in zip(GROUPS, ends, strict=True))


class ForensicEncoder:
    """Residual, spectral, block and colour statistics of a picture; numpy and scipy only, no weights.

    Only pixels are read, and the same pixels give bit-equal vectors.
    """

    name = "forensic"
    dimension: int
    fingerprint: str
    feature_groups: tuple[tuple[str, slice], ...]

    def __init__(self) -> None:
        self.feature_groups = _slices()
        self.dimension = self.feature_groups[-1][1].stop
        self.fingerprint = _fingerprint()

    def describe(self) -> Mapping[str, str]:
        """What each feature group looks at, in one line: name -> description."""
        return {group.name: group.description for group in GROUPS}

    def encode(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Feature vector of a picture, the mean over its windows.

        Args:
            picture: uint8, (h, w, 3), RGB, both sides at least 64 pixels.

        Returns:
            float32, (dimension,), finite, of order one.

        Raises:
            ImageRejected: a side is under 64 pixels.

        Source: method.md, section 4; each feature group names its own.
        """
        if min(picture.shape[:2]) < SMALLEST_SIDE:
            raise ImageRejected("too_small", f"a side is under {SMALLEST_SIDE} pixels")
        found = np.mean([self._encode_window(Window(pixels)) for pixels in windows(picture)], axis=0)
        return np.asarray(np.clip(found, -BOUND, BOUND).astype(np.float32))

    def _encode_window(self, window: Window) -> NDArray[np.float64]:
        """All groups of one window."""
        vector = np.empty(self.dimension)
        for group, (_, columns) in zip(GROUPS, self.feature_groups, strict=True):
            vector[columns] = group.function(window)
        return vector
