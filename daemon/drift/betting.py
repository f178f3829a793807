"""Betting against the mean of bounded votes: evidence that only grows by luck if the hypothesis is true."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Shares of the capital that are staked, side by side; below 1 so that no vote can ruin a better.
FRACTIONS: NDArray[np.float64] = np.linspace(0.02, 0.98, 25)
FRACTIONS.flags.writeable = False

_BISECTIONS = 30  # the interval's ends are exact to 1e-9


def log_steps(values: NDArray[np.float64], m0: float) -> NDArray[np.float64]:
    """Natural log of each better's gain per vote, for the hypothesis "the mean is at least m0".

    A vote U multiplies the capital of the better with lambda = c / (1 - m0) by 1 + lambda (m0 - U). As
    U <= 1 that is at least 1 - c > 0, and its expectation is at most 1 under the hypothesis.

    values: float64 (n,), in [0, 1]. m0: in (0, 1). Returns float64 (n, 25).
    Source: method section 3; Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables".
    """
    steps: NDArray[np.float64] = np.log1p(np.multiply.outer((m0 - values) / (1.0 - m0), FRACTIONS))
    return steps


def log_mixture(log_wealth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural log of the mean capital over the last axis, without overflow.

    log_wealth: float64 (..., 25). Returns float64 (...).
    """
    top = log_wealth.max(axis=-1, keepdims=True)
    mean: NDArray[np.float64] = np.exp(log_wealth - top).mean(axis=-1)
    log_mean: NDArray[np.float64] = np.log(mean) + top[..., 0]
    return log_mean


def floored_path(log_wealth: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural log of each better's capital when nobody falls below the 1 that it started with.

    Before every vote a capital under 1 is made up to 1, so each better runs a CUSUM. One vote after the other, so
    that the bits do not depend on how the votes are cut into batches.

    log_wealth: float64 (..., 25), before the votes. steps: float64 (n, ..., 25), from `log_steps`.
    Returns float64 (n, ..., 25).
    Source: method section 3; Shin, Ramdas and Rinaldo 2024, "E-detectors".
    """
    path = np.empty_like(steps)
    current = log_wealth
    for number, step in enumerate(steps):
        current = np.maximum(current, 0.0) + step
        path[number] = current
    return path


def mean_interval(values: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Betting confidence sequence for the mean of votes in [0, 1]: it covers at all sample sizes at once.

    An end is the nearest mean that a mixture of constant bets rejects at (1 - confidence) / 2. The evidence
    against "mean >= m" grows with m, so bisection finds it; it does not depend on the order of the votes.

    values: float64 (n,), in [0, 1]. Returns (lower, upper). Raises ValueError when values is empty.
    Source: method section 2.
    """
    if values.size == 0:
        raise ValueError("a confidence sequence needs at least one vote")
    threshold = math.log(2.0 / (1.0 - confidence))
    return 1.0 - _upper_end(1.0 - values, threshold), _upper_end(values, threshold)


def _upper_end(values: NDArray[np.float64], threshold: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if log_mixture(log_steps(values, middle).sum(axis=0)) >= threshold:
            high = middle
        else:
            low = middle
    return high
