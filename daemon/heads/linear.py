"""The linear read-out: ridge regression on +-1 over the units, one direction for all groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve


def direction(
    means: NDArray[np.float64], log_weights: NDArray[np.float64], synthetic: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The weight of each unit, float64 (k,).

    With units of unit within-group covariance (W2' C W2 = I) the total covariance over the units is the
    identity plus the weighted between-group covariance of the means.

    Parameters:
        means: float64 (g, k), mean activation per group, weighted mean 0.
        log_weights: float64 (g,).
        synthetic: bool (g,), True for families.

    Source: method section 4, read-out `linear`.
    """
    weights = np.exp(log_weights)
    weighted = means * weights[:, None]
    total = np.eye(means.shape[1]) + weighted.T @ means
    target = np.where(synthetic, 1.0, -1.0) @ weighted
    result: NDArray[np.float64] = solve(total, target, assume_a="pos")
    return result


def logits(
    activations: NDArray[np.float64],
    means: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    synthetic: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The regression's value for each row, float64 (n,); about +1 for synthetic and -1 for real."""
    result: NDArray[np.float64] = activations @ direction(means, log_weights, synthetic)
    return result
