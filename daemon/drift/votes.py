"""From samples to votes: a burst of one prompt or uploader is one vote."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def group_votes(
    values: ArrayLike, groups: Sequence[str], already_voted: Collection[str] = ()
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """One vote per group that has not voted before: the mean of its values in this batch.

    values: (n,) per-sample values in canonical order. groups: (n,) group keys.
    already_voted: groups whose vote was counted in an earlier batch of this test.
    Returns (votes float64 (k,), their groups (k,)), by first appearance.
    Raises ValueError when values and groups differ in length. Source: method section 3.

    >>> group_votes([0.0, 1.0, 0.5], ["a", "b", "a"], {"b"})
    (array([0.25]), ('a',))
    """
    gathered: dict[str, list[float]] = {}
    skipped = frozenset(already_voted)
    for value, group in zip(np.asarray(values, dtype=np.float64).tolist(), groups, strict=True):
        if group not in skipped:
            gathered.setdefault(group, []).append(value)
    # Sorted before summing, so that the order inside a group leaves no trace in the last bit.
    votes = [float(np.mean(sorted(members))) for members in gathered.values()]
    return np.asarray(votes, dtype=np.float64), tuple(gathered)
