"""How implausibly far pictures lie from the rest of their own group; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.heads.closed_form import ClosedFormHead

FEWEST: Final = 10  # pictures of a group below which its middle and spread say too little to call one of them far
_LEAST_SPREAD: Final = 1 / 8  # of the norm: in many dimensions norms are so alike that their spread alone says little
_NORMAL: Final = 1.4826  # a normal distribution's standard deviation, of its median absolute deviation


def spreads(
    fold_heads: Sequence[ClosedFormHead], vectors: NDArray[np.float16], folds: NDArray[np.int8]
) -> NDArray[np.float64]:
    """How many spreads each picture lies beyond the usual Mahalanobis norm of its group, float64 (n,).

    Norms are taken over the units of heads, in which the pooled within-group covariance is the identity, around the
    median of the group in every unit. A picture is measured by the head of its fold, which has not learned it: a
    head's own pictures look closer to their group than any new one can be. The usual norm is the median; a spread is
    the normalised median absolute deviation, at least an eighth of the usual norm. No group is taken to be narrower
    than the pooled covariance, under which the norm is about the square root of the number of units: else copies of
    one picture would make every other one implausible.

    Fewer than FEWEST pictures are all 0 spreads away.

    Parameters:
        fold_heads: FOLDS heads of one version.
        vectors: float16 (n, d), the group's pictures under one profile.
        folds: int8 (n,).

    Source: method section 6, point 3; Leys et al., "Detecting outliers: do not use standard deviation around the mean,
    use absolute deviation around the median", 2013.
    """
    if len(vectors) < FEWEST:
        return np.zeros(len(vectors))
    norms = np.zeros(len(vectors))
    typical = 0.0
    for fold in np.unique(folds).tolist():
        head, own = fold_heads[fold], folds == fold
        activations = head.activations(vectors)
        norms[own] = np.linalg.norm(activations[own] - np.median(activations, axis=0), axis=1)
        typical = max(typical, float(np.sqrt(head.units.shape[1])))
    median = float(np.median(norms))
    usual = max(median, typical)
    spread = max(_NORMAL * float(np.median(np.abs(norms - median))), _LEAST_SPREAD * usual)
    result: NDArray[np.float64] = (norms - usual) / spread
    return result
