"""Betting confidence sequence for a mean in [0, 1]: it covers at every sample size at once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from daemon.drift.betting import FRACTIONS, log_mixture

_BLOCK = 32  # factors multiplied before the logarithm; each is at most 1 + 1e9, so their product is finite
_COLUMNS = 32  # votes of 32 blocks at a time fit into the cache
_FARTHEST = math.log(1e9)  # an end is looked for up to 1e-9 from 0 and 1
_TOLERANCE = 1e-8


def mean_interval(votes: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """The means that mixtures of constant bets do not reject, each side at (1 - confidence) / 2.

    For every mean the capital is a non-negative martingale that starts at 1, so by Ville's inequality the true mean
    is ever rejected, at any sample size, with probability at most 1 - confidence. The bets do not follow the
    votes, so the votes' order does not matter. The evidence against "mean >= m" grows with m: each end is one root.

    votes: float64 (n,), independent, in [0, 1]. Returns (lower, upper). Raises ValueError when there are none.
    Source: method section 2; Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting".
    """
    if votes.size == 0:
        raise ValueError("a confidence sequence needs at least one vote")
    threshold = math.log(2.0 / (1.0 - confidence))
    return 1.0 - _upper_end(1.0 - votes, threshold), _upper_end(votes, threshold)


def _upper_end(votes: NDArray[np.float64], threshold: float) -> float:
    """Solved for s = -log(1 - m): the better with lambda = c / (1 - m) gains 1 - c + c exp(s) (1 - U) per vote."""
    misses = np.sort(1.0 - votes)  # sorted, so that the order of the votes leaves no trace in the last bit
    mean = float(misses.mean())
    blocks = np.resize(misses, (_BLOCK, -(-misses.size // _BLOCK)))
    parts = [blocks[:, k : k + _COLUMNS] for k in range(0, blocks.shape[1], _COLUMNS)]
    spare = blocks.reshape(-1)[misses.size :]

    def beyond(s: float) -> float:
        spare[:] = math.exp(-s)  # a vote at m itself: nobody gains or loses
        wealth = np.zeros(FRACTIONS.size)
        for part in parts:
            gains = part[:, None, :] * (FRACTIONS * math.exp(s))[:, None]
            gains += (1.0 - FRACTIONS)[:, None]
            wealth += np.log(np.multiply.reduce(gains, axis=0)).sum(axis=1)
        return float(log_mixture(wealth)) - threshold

    nearest = min(_FARTHEST, -math.log(mean) if mean > 0.0 else _FARTHEST)  # at the mean itself all lose
    step = 2.0 * math.sqrt(2.0 * threshold / votes.size)
    while (end := min(_FARTHEST, nearest + step)) < _FARTHEST and beyond(end) < 0.0:
        nearest, step = end, 2.0 * step
    if end == _FARTHEST and beyond(end) <= 0.0:
        return 1.0
    return 1.0 - math.exp(-float(brentq(beyond, nearest, end, xtol=_TOLERANCE)))
