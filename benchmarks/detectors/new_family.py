"""How soon the test of a new family proves that it evades, and how often it is wrong."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from benchmarks.detectors.contestants import first_crossing
from benchmarks.detectors.streams import HEALTHY, Array, mean_of, votes
from daemon.drift.betting import FRACTIONS, log_mixture

ALPHA: Final = 0.001
FLOORS: Final = (0.90, 0.50)  # of AUROC and recall, as shipped
FAMILIES: Final = 1000
LENGTH: Final = 500


def first_alarms(random: np.random.Generator, ap: float, families: int, length: int) -> Array:
    """Votes until `daemon.drift.family_test` alarms on each of so many families, float64 (families,); inf: never."""
    streams = votes(random, mean_of(ap), (length, families))

    def evidence() -> Any:
        wealth = [np.zeros((families, FRACTIONS.size)) for _ in FLOORS]
        for pair in zip(*streams, strict=True):
            for part, (value, floor) in enumerate(zip(pair, FLOORS, strict=True)):
                wealth[part] += np.log1p(((floor - value) / (1.0 - floor))[:, None] * FRACTIONS)
            yield np.logaddexp(*(log_mixture(part) for part in wealth)) - math.log(2.0)

    return first_crossing(evidence(), -math.log(ALPHA))


def new_family(families: int = FAMILIES, length: int = LENGTH, seed: int = 5) -> dict[str, Any]:
    """Median votes to alarm at AP .50 and .80; share of families at AP .95 that were ever alarmed."""
    random = np.random.default_rng(seed)
    found: dict[str, Any] = {
        f"median_votes_at_{ap:.2f}": float(np.median(first_alarms(random, ap, families, length))) for ap in (0.50, 0.80)
    }
    wrong = np.isfinite(first_alarms(random, HEALTHY, 10 * families, length))
    return {**found, "false_alarm_share_at_0.95": float(wrong.mean()), "families": families, "alpha": ALPHA}
