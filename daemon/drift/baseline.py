"""What a known family was like: the level that its e-CUSUM holds it to."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

KNOWN_GROUPS = 100  # votes without alarm that make a family or a real source known
PLACEMENT_CAP = 0.94  # a family that was better than this may fall to it unnoticed
RECALL_CAP = 0.80  # a healthy family reads about .8 at the left-out-source threshold
# Taken from the baseline's lower bound. Method section 3 has .92 and .02: then ADWIN, at the same rate of false alarms,
# sees a fall of AP from .95 to .90 in two thirds of our votes. The bound alone keeps the false alarms
# (docs/explanation-alarms.md has the figures of both).
MARGIN = 0.01
LOWEST = 0.05  # a baseline so low leaves nothing to fall from

_LEVEL = 0.99
_Z = NormalDist().inv_cdf(_LEVEL)


def placement_m0(votes: NDArray[np.float64]) -> float:
    """The mean placement that a known family must not fall below: min(.94, lower 99 % bound of the baseline - .01).

    votes: float64 (n,), in [0, 1], the baseline's placement values, one per group; the bound is the mean's normal one.
    Source: method section 3.

    >>> placement_m0(np.full(100, 0.99))
    0.94
    """
    if votes.size < 2:
        return LOWEST
    lower = float(votes.mean()) - _Z * float(votes.std(ddof=1)) / math.sqrt(votes.size)
    return min(PLACEMENT_CAP, max(LOWEST, lower - MARGIN))


def recall_m0(votes: NDArray[np.float64]) -> float:
    """The recall that a known family must not fall below: min(.80, lower 99 % bound of the baseline).

    The bound is Clopper's and Pearson's, wide enough without a margin.

    votes: float64 (n,), in [0, 1], the share of each group of the baseline that scored above the threshold.

    >>> round(recall_m0(np.ones(20)), 3)
    0.794
    """
    if votes.size < 2:
        return LOWEST
    from scipy.stats import beta

    caught = float(votes.sum())
    lower = float(beta.ppf(1.0 - _LEVEL, caught, votes.size - caught + 1.0)) if caught > 0.0 else 0.0
    return min(RECALL_CAP, max(LOWEST, lower))
