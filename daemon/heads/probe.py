"""The baseline: scikit-learn's logistic regression on stored vectors."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.gradient import TrainedHead
from daemon.heads.linear_head import LinearHead
from daemon.heads.standardise import Standardisation


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Settings of the logistic regression."""

    c: float = 0.2  # inverse strength of its L2 penalty
    max_iterations: int = 1000
    standardise: bool = True  # learn from standardised features


def train_probe(vectors: NDArray[np.float16], synthetic: NDArray[np.bool_], settings: ProbeSettings) -> TrainedHead:
    """Fit a class-balanced logistic regression.

    Parameters:
        vectors, synthetic: float16 (n, d) and bool (n,), what is learned from.

    Returns:
        A head of one unit; `converged` is False when the iterations ran out.

    Raises:
        BadInputError: a label is missing.

    Source: method section 4, the logistic regression of its table.
    """
    if synthetic.all() or not synthetic.any():
        raise BadInputError("the probe needs real and synthetic pictures to learn from: deliver more")
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    scale = Standardisation.of(vectors, settings.standardise)
    model = LogisticRegression(C=settings.c, class_weight="balanced", max_iter=settings.max_iterations)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(scale.apply(vectors), synthetic)
    iterations = int(model.n_iter_[0])
    converged = not any(issubclass(one.category, ConvergenceWarning) for one in told)
    head = LinearHead.probe(model.coef_[0].astype(np.float64), float(model.intercept_[0]))
    return TrainedHead(scale.unfold(head), iterations, iterations, (), converged)
