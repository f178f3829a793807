"""Platt scaling: from a logit to a probability that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from daemon.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Calibration:
    """probability = 1 / (1 + exp(-(a logit + b))), at even odds; decisions stay on the logit."""

    a: float = 1.0  # > 0: calibration never turns an order round
    b: float = 0.0
    method: Literal["platt", "none"] = "none"  # none: there were no calibration pictures of both labels
    pictures: int = 0  # calibration pictures behind it

    def probability(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of "synthetic" at even odds, float64 of the shape of `logits`."""
        result: NDArray[np.float64] = expit(self.a * logits + self.b)
        return result


def fit_platt(scores: NDArray[np.float64], synthetic: NDArray[np.bool_]) -> Calibration:
    """Fit Platt's sigmoid with both labels weighing the same.

    Parameters:
        scores: float64 (n,), held-out logits of calibration pictures.
        synthetic: bool (n,).

    Returns:
        A calibration marked `none` when a label is missing.

    Raises:
        BadInputError: a score is not finite.

    Source: Platt 1999, with his smoothed targets, which keep the fit finite on separable scores.
    """
    positives, negatives = int(synthetic.sum()), int((~synthetic).sum())
    if not np.isfinite(scores).all():
        raise BadInputError("a calibration score is not finite")
    if not positives or not negatives:
        return Calibration(pictures=len(scores))
    targets = np.where(synthetic, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weights = np.where(synthetic, 0.5 / positives, 0.5 / negatives)
    middle = float(np.median(scores))
    spread = float(scores.std()) or 1.0
    x = (scores - middle) / spread

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = parameters[0] * x + parameters[1]
        value = weights @ (np.logaddexp(0.0, logits) - targets * logits)
        error = weights * (expit(logits) - targets)
        return float(value), np.array([error @ x, error.sum()])

    from scipy.optimize import minimize  # here: a rollback starts without it

    fitted = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(1e-6, None), (None, None)])
    slope, offset = (float(value) for value in fitted.x)
    return Calibration(slope / spread, offset - slope * middle / spread, "platt", len(scores))
