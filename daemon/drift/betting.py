"""Betting against the mean of bounded votes: evidence that only grows by luck if the hypothesis is true."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Shares of the capital that are staked, side by side; below 1 so that no vote can ruin a better.
FRACTIONS: NDArray[np.float64] = np.linspace(0.02, 0.98, 25)
FRACTIONS.flags.writeable = False


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
