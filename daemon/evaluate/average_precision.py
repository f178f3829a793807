"""Average precision at a stated prevalence, and the AUROC."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daemon.drift.placement import placement_values


def average_precision(real_scores: ArrayLike, synthetic_scores: ArrayLike, prevalence: float = 0.5) -> float:
    """Average precision by the step sum, with each side weighted to the stated prevalence.

    Each of m reals weighs (1 - prevalence) / m, each of n fakes prevalence / n; tied scores form one step.

    real_scores: (m,) and synthetic_scores: (n,), logits (never saturated sigmoids), higher means synthetic.
    prevalence: share of fakes, in (0, 1). Returns the AP, in (0, 1].
    Raises ValueError on an empty side, a NaN, or a prevalence outside (0, 1). Source: method section 2.

    >>> average_precision([0.0, 1.0], [0.5, 2.0])
    0.8333333333333333
    """
    check_prevalence(prevalence)
    reals = checked_scores(real_scores, "real")
    fakes = checked_scores(synthetic_scores, "synthetic")
    ascending = np.sort(fakes)  # summed in this order, so that the order of the samples leaves no trace
    above_fakes, above_reals = counts_at_or_above(np.sort(reals), ascending, ascending)
    hits = prevalence * above_fakes / fakes.size
    false = (1.0 - prevalence) * above_reals / reals.size
    return float(np.mean(hits / (hits + false)))


def average_precision_floor(prevalence: float = 0.5) -> float:
    """The AP of a detector that ranks every real above every fake, for many samples: 1 - ln 2 at .5.

    Raises ValueError on a prevalence outside (0, 1). Source: method section 2.
    """
    check_prevalence(prevalence)
    return 1.0 + (1.0 - prevalence) * math.log1p(-prevalence) / prevalence


def auroc(real_scores: ArrayLike, synthetic_scores: ArrayLike) -> float:
    """Probability that a fake scores above a real, ties counted half.

    real_scores: (m,) and synthetic_scores: (n,), logits. Returns a value in [0, 1].
    Raises ValueError on an empty side or a NaN.
    """
    reals = checked_scores(real_scores, "real")
    return float(np.mean(placement_values(reals, checked_scores(synthetic_scores, "synthetic"))))


def checked_scores(scores: ArrayLike, side: str) -> NDArray[np.float64]:
    """The scores as float64 (n,). Raises ValueError, naming the side, when there are none or one is NaN."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"the {side} scores must be a non-empty list of numbers")
    if np.isnan(values).any():
        raise ValueError(f"a {side} score is NaN")
    return values


def check_prevalence(prevalence: float) -> None:
    """Raises ValueError unless 0 < prevalence < 1."""
    if not 0.0 < prevalence < 1.0:
        raise ValueError(f"the prevalence must lie strictly between 0 and 1, not {prevalence}")


def counts_at_or_above(
    reals_ascending: NDArray[np.float64], fakes_ascending: NDArray[np.float64], at: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many fakes and how many reals score at or above each of `at`: int64 (k,), int64 (k,)."""
    fakes = fakes_ascending.size - np.searchsorted(fakes_ascending, at, side="left")
    reals = reals_ascending.size - np.searchsorted(reals_ascending, at, side="left")
    return fakes, reals
