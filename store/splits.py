"""The split and the fold of a group: stable hashes of its key, independent of each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from daemon.model import FOLDS, SPLITS, Split

DEFAULT_SHARES: Mapping[Split, float] = MappingProxyType(
    {"train": 0.50, "calibration": 0.15, "reference": 0.15, "holdout": 0.20}
)


def _uniform(salt: str, key: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.sha256(f"{salt}\0{key}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48  # 48 bits: exact in a float, never rounded up to 1


def split_of(group_key: str, shares: Mapping[Split, float]) -> Split:
    """The side on which a group lies.

    Parameters: `shares` of each split, not negative, their sum above 0 (they are normalised).
    Source: method.md section 2.

    >>> split_of("photo-17", {"train": 1.0})
    'train'
    """
    total = sum(shares.values())
    if total <= 0 or min(shares.values()) < 0:
        raise ValueError("split shares must not be negative and must not all be zero")
    remaining = _uniform("split", group_key) * total
    present = [split for split in SPLITS if shares.get(split, 0.0) > 0]
    for split in present:
        remaining -= shares[split]
        if remaining < 0:
            return split
    return present[-1]  # what rounding left over


def fold_of(group_key: str) -> int:
    """The cross-fitting fold of a group, 0 .. FOLDS-1."""
    return int(_uniform("fold", group_key) * FOLDS)
