"""The two-sided mixture read-out: log-sum-exp over families less log-sum-exp over real sources."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp


def affinities(
    activations: NDArray[np.float64],
    means: NDArray[np.float64],
    half_norms: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    tau: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Tempered Gaussian log-affinity of each row to each group, float64 (n, g).

    Parameters:
        activations: float64 (n, k).
        means: float64 (g, k), mean activation per group.
        half_norms: float64 (g,), half the squared norm of each mean.
        log_weights: float64 (g,).
        tau: float64 (g,), sharpness of each group, > 0.

    Source: method section 4, read-out `mixture`.
    """
    result: NDArray[np.float64] = tau * (activations @ means.T - half_norms) + log_weights
    return result


def logits(
    affinities: NDArray[np.float64],
    synthetic: NDArray[np.bool_],
    log_weights: NDArray[np.float64],
    softness: float = 1.0,
) -> NDArray[np.float64]:
    """Log-odds of the families against the real sources, float64 (n,).

    A picture is synthetic when it is like one family, and real when it is like real sources at large: the sources may
    be read more softly than the families, in the families' unit. The softer a side, the nearer it is to the mean over
    its groups, and the less it relies on the one source that a picture of a new source must resemble.

    Parameters:
        affinities: float64 (n, g), each side at its own sharpness.
        synthetic: bool (g,), True for families.
        log_weights: float64 (g,).
        softness: sharpness of the families over that of the sources, > 0.

    >>> weights = np.log([0.4, 0.2, 0.2])
    >>> logits(weights[None], np.array([True, True, False]), weights).round(6)
    array([1.098612])
    """
    families: NDArray[np.float64] = logsumexp(affinities[:, synthetic], axis=1)
    sources: NDArray[np.float64] = logsumexp(affinities[:, ~synthetic], axis=1)
    prior = float(logsumexp(log_weights[~synthetic]))
    return families - prior - softness * (sources - prior)


def nearest(affinities: NDArray[np.float64], synthetic: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index of the family group and of the real-source group with the greatest affinity, each (n,)."""
    families, sources = np.flatnonzero(synthetic), np.flatnonzero(~synthetic)
    return families[affinities[:, families].argmax(axis=1)], sources[affinities[:, sources].argmax(axis=1)]
