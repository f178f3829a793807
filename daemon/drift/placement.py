"""Where a sample's score stands among the reference reals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def placement_values(reference_scores: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Share of the reference pool that scores below each sample, ties counted half.

    The mean over a family's samples is its AUROC against the pool, whatever the prevalence.

    reference_scores: (m,) logits of reals. scores: (n,) logits. Returns float64 (n,), in [0, 1].
    Raises ValueError when the pool is empty or a score is NaN. Source: method section 3.

    >>> placement_values([0.0, 1.0], [-1.0, 1.0, 2.0]).tolist()
    [0.0, 0.75, 1.0]
    """
    reference = np.sort(np.asarray(reference_scores, dtype=np.float64))
    asked = np.asarray(scores, dtype=np.float64)
    if reference.size == 0:
        raise ValueError("placement values need at least one reference real")
    if np.isnan(reference).any() or np.isnan(asked).any():
        raise ValueError("a score is NaN; placement values need real logits")
    below = np.searchsorted(reference, asked, side="left")
    not_above = np.searchsorted(reference, asked, side="right")
    return np.asarray((below + not_above) / (2.0 * reference.size), dtype=np.float64)
