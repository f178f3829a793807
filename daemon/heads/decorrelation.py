"""The paper's decorrelation penalty: how far the activations are from uncorrelated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST_NORM = 1e-12  # below it a column is not divided by its norm, as torch does


def gram_matrix(activations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gram matrix of the activations, each column L2-normalised over the rows and not centred, float64 (k, k).

    Parameters:
        activations: float64 (n, k).

    Source: method section 1, "Head".
    """
    norms = np.maximum(np.linalg.norm(activations, axis=0), _LEAST_NORM)
    normalised = activations / norms
    result: NDArray[np.float64] = normalised.T @ normalised
    return result


def decorrelation_penalty(activations: NDArray[np.float64]) -> float:
    """||I - G||_F, G the Gram matrix of the activations float64 (n, k); 0 when they are orthogonal.

    Source: method section 1, "Head".

    >>> decorrelation_penalty(np.array([[1.0, 0.0], [0.0, 2.0]]))
    0.0
    """
    gram = gram_matrix(activations)
    return float(np.linalg.norm(np.eye(len(gram)) - gram))
