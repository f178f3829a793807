"""Simulated holdouts: two models' binormal scores of the same samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
from scipy.stats import norm

from daemon.evaluate import average_precision
from daemon.model import Profile, Subject
from daemon.promote.comparison import Comparison

QUANTILES = norm.ppf((np.arange(4000) + 0.5) / 4000)
THRESHOLD = float(norm.ppf(0.95))


@cache
def shift_of(ap: float) -> float:
    """Distance between fakes and reals at which a binormal detector has this AP at even prevalence."""
    low, high = 0.0, 8.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if average_precision(QUANTILES, QUANTILES + middle) < ap else (low, middle)
    return low


def holdout(
    seed: int,
    families: Mapping[str, tuple[float, float]],
    n: int = 100,
    reals: int = 1000,
    correlation: float = 0.9,
    sources: int = 5,
) -> list[Comparison]:
    """Raw and laundered comparisons, correlated as profiles of the same pictures are.

    families: name -> AP of the champion and of the challenger. n: fakes per family, reals: real samples.
    Each fake shares the group of one real.
    """
    random = np.random.default_rng(seed)
    size = reals + n * len(families)
    pictures = random.normal(size=(3, size))
    subjects = [Subject("source", f"s{k % sources}") for k in range(reals)]
    subjects += [Subject("family", name) for name in families for _ in range(n)]
    groups = [f"g{k}" for k in range(reals)] + [f"g{k % reals}" for k in range(n * len(families))]
    profiles: tuple[Profile, ...] = ("raw", "laundered")
    found = []
    for profile in profiles:
        noise = pictures if profile == "raw" else 0.8 * pictures + 0.6 * random.normal(size=(3, size))
        common, own = math.sqrt(correlation), math.sqrt(1.0 - correlation)
        scores = [common * noise[0] + own * noise[1], common * noise[0] + own * noise[2]]
        for model in (0, 1):
            for k, aps in enumerate(families.values()):
                scores[model][reals + n * k : reals + n * (k + 1)] += shift_of(aps[model])
        found.append(
            Comparison(
                profile=profile,
                scores_champion=scores[0],
                scores_challenger=scores[1],
                synthetic=np.arange(size) >= reals,
                subjects=tuple(subjects),
                groups=tuple(groups),
                threshold_champion=THRESHOLD,
                threshold_challenger=THRESHOLD,
            )
        )
    return found
