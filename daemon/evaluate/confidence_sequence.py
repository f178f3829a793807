"""Betting confidence sequence for a mean in [0, 1]: it covers at every sample size at once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from daemon.drift.betting import FRACTIONS, log_mixture

_BLOCK = 32  # factors multiplied before the logarithm; each is at most 1 + 1e9, so their product is finite
_COLUMNS = 32  # votes of 32 blocks at a time fit into the cache
_FARTHEST = math.log(1e9)  # an end is looked for up to 1e-9 from 0 and 1
_TOLERANCE = 1e-8
_NEGLIGIBLE = 45.0  # below the threshold in log capital: all such betters together are under a float's last bit


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

    def log_capital(s: float, fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        spare[:] = math.exp(-s)  # a vote at m itself: nobody gains or loses
        wealth = np.zeros(fractions.size)
        for part in parts:
            gains = part[:, None, :] * (fractions * math.exp(s))[:, None]
            gains += (1.0 - fractions)[:, None]
            wealth += np.log(np.multiply.reduce(gains, axis=0)).sum(axis=1)
        return wealth

    nearest = min(_FARTHEST, -math.log(mean) if mean > 0.0 else _FARTHEST)  # at the mean itself all lose
    # Where votes of this variance reach the threshold about, if one better has it all.
    paid = 2.0 * (threshold + math.log(FRACTIONS.size)) / misses.size
    step = math.sqrt(paid * (float(misses.var()) + 1.0 / misses.size)) * math.exp(nearest)
    while True:
        end = min(_FARTHEST, nearest + step)
        wealth = log_capital(end, FRACTIONS)
        reached = float(log_mixture(wealth))
        if reached >= threshold or end == _FARTHEST:
            break
        nearest, step = end, 2.0 * step
    if reached <= threshold and end == _FARTHEST:
        return 1.0

    # Capital grows with s, so whoever has next to nothing at the end has less before it.
    weighty = FRACTIONS[wealth > threshold - _NEGLIGIBLE]
    absent = math.log(FRACTIONS.size / weighty.size)
    found = {end: _straightened(reached) - _straightened(threshold)}

    def beyond(s: float) -> float:
        if s not in found:
            evidence = float(log_mixture(log_capital(s, weighty))) - absent
            found[s] = _straightened(evidence) - _straightened(threshold)
        return found[s]

    from scipy.optimize import brentq  # here: a rollback starts without it

    return 1.0 - math.exp(-float(brentq(beyond, nearest, end, xtol=_TOLERANCE)))


def _straightened(evidence: float) -> float:
    """Evidence grows about with the square of the distance; its root is nearly a line, which takes fewer steps."""
    return math.sqrt(1.0 + evidence) if evidence > 0.0 else 1.0 + evidence / 2.0
