"""The parameter at which a detector's false alarms are as far apart as wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.detectors.contestants import Array, Contestant, Streams

TOLERANCE = 0.20
MOST_STEPS = 24


@dataclass(frozen=True, slots=True)
class RunLength:
    """Measured votes per false alarm: all votes until the first alarm or the end, over the alarms."""

    votes: int
    alarms: int

    @property
    def mean(self) -> float:
        """Votes per alarm; without an alarm infinity."""
        return self.votes / self.alarms if self.alarms else math.inf


def run_length(first: Array, length: int) -> RunLength:
    """From the first alarms of streams of `length` healthy votes."""
    ended = np.isfinite(first)
    return RunLength(int(np.where(ended, first, length).sum()), int(ended.sum()))


def tune(contestant: Contestant, baseline: Streams, healthy: Streams, wanted: float) -> tuple[float, RunLength]:
    """The parameter whose measured run length is nearest to the wanted one, on the streams given.

    The run length grows with an e-CUSUM's A or a threshold, and falls with a delta, a confidence or an alpha, which lie
    below 1. Bisection on the logarithm; it stops within `TOLERANCE` / 4.
    """
    measured: dict[float, RunLength] = {}

    def measure(parameter: float) -> RunLength:
        if parameter not in measured:
            first = contestant.first_alarms(parameter, baseline, healthy)
            measured[parameter] = run_length(first, len(healthy.placements))
        return measured[parameter]

    if contestant.levels:
        for parameter in contestant.levels:
            if measure(parameter).mean >= wanted:
                break
    else:
        _bisect(contestant.default, measure, wanted)
    best = min(measured, key=lambda parameter: abs(math.log(measured[parameter].mean / wanted)))
    return best, measured[best]


def _bisect(start: float, measure: Callable[[float], RunLength], wanted: float) -> None:
    low, high = _bracket(start, measure, wanted)
    for _ in range(MOST_STEPS):
        middle = math.sqrt(low * high)
        found = measure(middle).mean
        if abs(found / wanted - 1.0) <= TOLERANCE / 4 or abs(math.log(high / low)) < 0.01:
            return
        if found < wanted:
            low = middle
        else:
            high = middle


def _bracket(start: float, measure: Callable[[float], RunLength], wanted: float) -> tuple[float, float]:
    """Two parameters, the first with too short a run length and the second with a long enough one."""
    up = 2.0 if start >= 1.0 else 1.0 / 16.0  # what makes alarms rarer
    most = math.inf if start >= 1.0 else 0.99
    parameter = start
    if measure(parameter).mean >= wanted:
        while parameter < most and measure(min(most, parameter / up)).mean >= wanted:
            parameter = min(most, parameter / up)
        return min(most, parameter / up), parameter
    while measure(parameter * up).mean < wanted:
        parameter *= up
    return parameter, parameter * up
