"""How the encoder's process introduces itself; what it sends is checked, for a picture may have taken it over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.children.frames import BadFrame, Frame, vectors_of
from daemon.encoders.golden import TOLERANCE, difference
from daemon.errors import ConfigurationError
from daemon.model import PROFILES, Profile

_LARGEST_VALUE = float(np.finfo(np.float16).max)  # vectors are stored as float16


@dataclass(frozen=True, slots=True)
class Hello:
    """What an encoder is."""

    name: str
    dimension: int
    fingerprint: str
    parts: dict[str, slice]  # columns of each encoder in a vector
    golden: dict[Profile, NDArray[np.float32]]  # (d,) what it makes of the golden picture


def read_hello(frame: Frame) -> Hello:
    """Raises BadFrame, and ConfigurationError when the encoder makes nothing usable of the golden picture."""
    header = frame.header
    name, dimension, fingerprint = header.get("name"), header.get("dimension"), header.get("fingerprint")
    if not (isinstance(name, str) and type(dimension) is int and dimension > 0 and isinstance(fingerprint, str)):
        raise BadFrame("no name, length and fingerprint")
    if len(frame.parts) != len(PROFILES):
        raise BadFrame("not one golden vector per profile")
    golden = {}
    for profile, part in zip(PROFILES, frame.parts, strict=True):
        vectors = vectors_of(part, dimension)
        if len(vectors) != 1:
            raise BadFrame("not one golden vector per profile")
        if not storable(vectors):
            raise ConfigurationError(
                f"encoder: {name} makes a vector of the golden picture that is not finite or too large for float16; "
                "its weights, precision or device are wrong"
            )
        golden[profile] = vectors[0]
    return Hello(name, dimension, fingerprint, _parts(header.get("parts"), dimension), golden)


def same_encoder(one: Hello, other: Hello) -> bool:
    """Whether vectors of both may meet."""
    return one.fingerprint == other.fingerprint and all(
        difference(one.golden[profile], other.golden[profile], other.parts) <= TOLERANCE for profile in PROFILES
    )


def storable(vectors: NDArray[np.float32]) -> bool:
    """Finite, and inside float16."""
    return bool(np.isfinite(vectors).all() and np.abs(vectors).max() <= _LARGEST_VALUE)


def _parts(found: Any, dimension: int) -> dict[str, slice]:
    """Columns by name, side by side from the first to the last."""
    if not isinstance(found, dict) or not found:
        raise BadFrame("no parts")
    parts: dict[str, slice] = {}
    reached = 0
    for name, ends in found.items():
        if not (isinstance(ends, list) and len(ends) == 2 and all(type(end) is int for end in ends)):
            raise BadFrame("parts without columns")
        start, stop = ends
        if start != reached or stop <= start:
            raise BadFrame("parts that are not side by side")
        parts[name] = slice(start, stop)
        reached = stop
    if reached != dimension:
        raise BadFrame("parts that do not fill the vector")
    return parts
