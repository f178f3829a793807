"""The detectors, each as the number of votes until its first alarm on a set of streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Protocol

import numpy as np
from river.drift import kswin
from scipy.stats import ks_2samp

from benchmarks.detectors.streams import HEALTHY, Array, mean_of, votes
from daemon.drift.baseline import placement_m0, recall_m0
from daemon.drift.betting import FRACTIONS, log_mixture
from daemon.drift.river_detectors import SETTINGS, RiverName, first_river_alarm

WARM_UP: Final = 500  # healthy votes before the change: the baseline, the same for all
NEVER: Final = np.inf


class Contestant(Protocol):
    """A detector with one number that decides how easily it alarms."""

    name: str
    default: float
    shown: str  # how its parameter is called
    levels: tuple[float, ...]  # the only parameters that differ, alarms rarer and rarer; (): every number does

    def first_alarms(self, parameter: float, baseline: Streams, later: Streams) -> Array:
        """Votes until the first alarm in each stream, float64 (streams,); inf: none."""
        ...


@dataclass(frozen=True)
class Streams:
    """Votes of many streams, column by column."""

    placements: Array  # (votes, streams)
    recalls: Array  # (votes, streams)

    @classmethod
    def healthy(cls, random: np.random.Generator, length: int, count: int) -> Streams:
        return cls(*votes(random, mean_of(HEALTHY), (length, count)))


@dataclass(frozen=True)
class ECusumContestant:
    """What the service runs for known families: the mean of the e-CUSUMs of placement and recall."""

    name: str = "e-CUSUM (ours)"
    default: float = 2000.0  # shipped: 1,000 votes in 30 days, budget 1
    shown: str = "A"
    levels: tuple[float, ...] = ()

    def first_alarms(self, parameter: float, baseline: Streams, later: Streams) -> Array:
        return first_crossing(self.paths(baseline, later), np.log(parameter))

    def paths(self, baseline: Streams, later: Streams) -> Iterator[Array]:
        """Log-evidence of every stream after each vote; the floor at 1 as in `daemon.drift.betting.floored_path`."""
        floors = (
            np.apply_along_axis(placement_m0, 0, baseline.placements),
            np.apply_along_axis(recall_m0, 0, baseline.recalls),
        )
        wealth = [np.zeros((later.placements.shape[1], FRACTIONS.size)) for _ in floors]
        for pair in zip(later.placements, later.recalls, strict=True):
            for part, (value, m0) in enumerate(zip(pair, floors, strict=True)):
                bets = ((m0 - value) / (1.0 - m0))[:, None] * FRACTIONS
                wealth[part] = np.maximum(wealth[part], 0.0) + np.log1p(bets)
            yield np.logaddexp(*(log_mixture(part) for part in wealth)) - np.log(2.0)


@dataclass(frozen=True)
class RiverContestant:
    """One of river's detectors, on placement values."""

    name: str
    detector: RiverName
    default: float
    shown: str
    settings: Callable[[float], dict[str, Any]]
    pool: ProcessPoolExecutor | None = field(default=None, compare=False)
    levels: tuple[float, ...] = ()

    def first_alarms(self, parameter: float, baseline: Streams, later: Streams) -> Array:
        settings = self.settings(parameter)
        columns = [
            (self.detector, settings, before.tolist(), after.tolist())
            for before, after in zip(baseline.placements.T, later.placements.T, strict=True)
        ]
        run = map if self.pool is None else self.pool.map
        return np.array(list(run(_first_alarm, columns)), dtype=np.float64)


def first_crossing(paths: Iterator[Array], line: float) -> Array:
    """The first vote at which each stream's path is at or above the line; inf where it never is."""
    first: Array | None = None
    for number, values in enumerate(paths, start=1):
        first = np.full(values.shape, NEVER) if first is None else first
        first[(values >= line) & np.isinf(first)] = number
        if np.isfinite(first).all():
            break
    assert first is not None
    return first


def rivers(pool: ProcessPoolExecutor | None) -> list[RiverContestant]:
    """River's detectors with the service's settings as defaults, and PageHinkley with river's own."""
    return [
        RiverContestant("ADWIN", "adwin", SETTINGS["adwin"]["delta"], "delta", lambda v: {"delta": v}, pool),
        RiverContestant(
            "PageHinkley", "page_hinkley", SETTINGS["page_hinkley"]["threshold"], "threshold",
            lambda v: {"threshold": v}, pool,
        ),
        RiverContestant(
            "HDDM_A", "hddm_a", SETTINGS["hddm_a"]["drift_confidence"], "confidence",
            lambda v: {"drift_confidence": v}, pool,
        ),
        RiverContestant(
            "KSWIN", "kswin", SETTINGS["kswin"]["alpha"], "alpha", lambda v: {"alpha": v}, pool, kswin_levels()
        ),
    ]  # fmt: skip


def _first_alarm(column: tuple[RiverName, dict[str, Any], Sequence[float], Sequence[float]]) -> float:
    name, settings, before, after = column
    if name == "kswin":
        kswin.stats = _QuickStatistics
    found = first_river_alarm(name, before, after, settings)
    return NEVER if found is None else float(found)


class _QuickStatistics:
    """Stands in for scipy.stats in river's KSWIN: its exact test, looked up by the statistic (60 times faster)."""

    @staticmethod
    def ks_2samp(one: Sequence[float], other: Sequence[float], method: str) -> tuple[float, float]:
        ours, theirs = np.sort(one), np.sort(other)
        both = np.concatenate((ours, theirs))
        steps = np.searchsorted(ours, both, side="right") - np.searchsorted(theirs, both, side="right")
        distance = int(np.abs(steps).max())
        return distance / len(one), _exact_p(distance, len(one))


@lru_cache
def _exact_p(distance: int, size: int) -> float:
    """p-value of two samples of `size` whose distribution functions are `distance` / size apart."""
    lower = np.arange(size, dtype=np.float64)
    return float(ks_2samp(lower, lower + distance - 0.5 if distance else lower, method="exact").pvalue)


def kswin_levels(size: int = 30) -> tuple[float, ...]:
    """The p-values under .01 that KSWIN can find, falling: between two of them every alpha is the same."""
    # Beyond two thirds of the size KSWIN would alarm less than once in 10^9 votes.
    levels = (_exact_p(distance, size) for distance in range(size // 3, 2 * size // 3))
    return tuple(level for level in levels if level < 0.01)
