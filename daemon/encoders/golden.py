"""The golden picture: what an encoder makes of it must stay what it was when its vectors were first stored.

The fingerprint says what an encoder is meant to be. The golden picture shows what it computes, whatever a library, a
driver or a damaged memory did meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daemon.errors import ConfigurationError
from daemon.model import Profile
from daemon.ports import GoldenLog

TOLERANCE = 1e-3  # relative; another CPU or version of a library rounds some 1e-6 apart
HEIGHT, WIDTH = 384, 448  # pixels; neither is what a model takes, so that resizing is part of it

Vector = NDArray[np.float32]  # (d,)


class GoldenEncoder(Protocol):
    """What is asked of an encoder here."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def parts(self) -> Mapping[str, slice]: ...
    @property
    def golden(self) -> Mapping[Profile, Vector]: ...


def golden_picture() -> NDArray[np.uint8]:
    """(384, 448, 3) uint8: slopes, edges and noise, by whole numbers alone, so the same everywhere and for ever."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    slopes = np.stack(
        [rows * 255 // (HEIGHT - 1), columns * 255 // (WIDTH - 1), (rows + columns) * 255 // (HEIGHT + WIDTH - 2)],
        axis=2,
    )
    edges = (rows // 32 + columns // 56) % 2 * 255
    drawn = hashlib.shake_256(b"sidwatch golden picture").digest(HEIGHT * WIDTH * 3)
    noise = np.frombuffer(drawn, np.uint8).reshape(HEIGHT, WIDTH, 3).astype(np.int64)
    return np.asarray((5 * slopes + 2 * edges[:, :, None] + noise) // 8, np.uint8)


def difference(found: Vector, recorded: Vector, parts: Mapping[str, slice]) -> float:
    """How far apart two vectors of one picture are: |found - recorded| / |recorded| in the Euclidean norm.

    parts: columns by name; the norm is taken of each part and the worst counts, for a long part would hide another.
    Infinity when the lengths differ.
    """
    if found.shape != recorded.shape:
        return float("inf")
    apart = [
        float(np.linalg.norm(found[columns] - recorded[columns]))
        / max(float(np.linalg.norm(recorded[columns])), float(np.finfo(np.float32).tiny))
        for columns in parts.values()
    ]
    return max(apart)


def check_golden(encoder: GoldenEncoder, log: GoldenLog, now: datetime, *, record: bool) -> None:
    """Compare with what was recorded when the fingerprint first came up in this store.

    record: write down what has no record yet (False for a store that is only read).
    Raises ConfigurationError when a vector is off by more than TOLERANCE.
    """
    for profile, found in encoder.golden.items():
        recorded = log.golden(encoder.fingerprint, profile)
        if recorded is None:
            continue
        apart = difference(found, recorded.vector, encoder.parts)
        if not apart <= TOLERANCE:
            raise ConfigurationError(
                f"encoder: {encoder.name} {encoder.fingerprint[:12]} makes another vector of the golden picture than "
                f"on {recorded.at:%Y-%m-%d} ({profile}: {apart:.2g} apart, at most {TOLERANCE:g}), so new vectors "
                "would not fit those in the store; go back to the libraries, driver or machine of then, or give this "
                "encoder its own store.directory"
            )
    if record:
        log.record_golden(encoder.fingerprint, encoder.golden, now)
