"""Binormal streams of a family's scores: reals are N(0, 1), fakes N(mu, 1), mu by the average precision wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

Array = NDArray[np.float64]

HEALTHY: Final = 0.95
THRESHOLD: Final = float(norm.ppf(0.95))  # a false-positive rate of .05
GRADUAL: Final = 300  # samples that a gradual change takes
INVERTED: Final = "inverted"


@dataclass(frozen=True, slots=True)
class Effect:
    """How a family's AP changes."""

    name: str
    after: float  # mean of the fakes' scores after the change
    gradual: bool


@lru_cache
def mean_of(ap: float) -> float:
    """Mean of the fakes' scores that gives this AP at even prevalence."""
    return float(brentq(lambda mean: average_precision(mean) - ap, -1.0, 6.0))


def average_precision(mean: float) -> float:
    """AP at even prevalence of N(mean, 1) against N(0, 1), by summing precision over recall."""
    cuts = np.linspace(10.0 + mean, -10.0, 100_001)
    recall, false_positives = norm.sf(cuts - mean), norm.sf(cuts)
    precision = recall / np.maximum(recall + false_positives, 1e-300)
    return float(np.sum(precision[1:] * np.diff(recall)))


def effects() -> list[Effect]:
    """AP .95 -> .90, .80, .50 and inverted (AUROC .10), abrupt and gradual."""
    after = [(f"{ap:.2f}", mean_of(ap)) for ap in (0.90, 0.80, 0.50)] + [(INVERTED, -mean_of(0.90))]
    return [Effect(name, mean, gradual) for gradual in (False, True) for name, mean in after]


def votes(random: np.random.Generator, means: Array | float, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Placement values among infinitely many reals, and whether they are above the threshold, 0 or 1."""
    scores = random.normal(means, 1.0, shape)
    return np.asarray(norm.cdf(scores)), (scores > THRESHOLD).astype(np.float64)


def path_of_means(effect: Effect, length: int) -> Array:
    """Mean of the scores at each of `length` samples after the change began, (length, 1)."""
    done = np.minimum(1.0, np.arange(1, length + 1) / GRADUAL) if effect.gradual else np.ones(length)
    healthy = mean_of(HEALTHY)
    means: Array = (healthy + (effect.after - healthy) * done)[:, None]
    return means


def area_of(mean: float) -> float:
    """AUROC of N(mean, 1) against N(0, 1)."""
    return float(norm.cdf(mean / math.sqrt(2.0)))
