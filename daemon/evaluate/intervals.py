"""Intervals: Student's around the logit of an AP, Clopper-Pearson for rates; group bootstrap for differences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, stdtrit

from daemon.evaluate.average_precision import average_precision_floor, counts_at_or_above

_CHUNK_BYTES = 32 << 20  # of one weight matrix; a handful of them live at the same time

Side = tuple[NDArray[np.float64], Sequence[str]]  # scores (n,) and group keys (n,)


def group_weights(groups: Sequence[str], replicates: int, seed: int, first: int = 0) -> NDArray[np.float64]:
    """Random weights, Exp(1), one per group and replicate, given to every sample of the group.

    A weight is a pure function of (group key, replicate number, seed): calls with different samples, models
    or profiles share them without sharing state, and replicates may be made in pieces. The numbers are those
    of a splitmix64 hash (Steele, Lea and Flood 2014).

    groups: (n,) group keys. first: number of the first replicate. Returns float64 (n, replicates), > 0.
    Source: method section 2.
    """
    names, row_of = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    salt = seed.to_bytes(8, "little", signed=True)
    digests = [hashlib.blake2b(name.encode(), digest_size=8, key=salt).digest() for name in names.tolist()]
    keys = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    steps = np.arange(first + 1, first + replicates + 1, dtype=np.uint64)
    state = keys[:, None] + steps * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    # 53 random bits, moved to the middle of their cell so that the logarithm is finite.
    uniform = ((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    weights: NDArray[np.float64] = -np.log(uniform)
    return weights if len(names) == len(groups) and _is_range(row_of) else weights[row_of]


def _is_range(row_of: NDArray[np.intp]) -> bool:
    return bool((row_of == np.arange(row_of.size)).all())


def weighted_average_precision(
    reals_descending: NDArray[np.float64],
    real_mass: NDArray[np.float64],
    synthetic_scores: NDArray[np.float64],
    synthetic_weights: NDArray[np.float64],
    prevalence: float,
) -> NDArray[np.float64]:
    """AP of every replicate, each side's weights renormalised; the reals are sorted and summed only once.

    reals_descending: float64 (m,). real_mass: float64 (m + 1, r), `cumulative_mass` of the reals' weights.
    synthetic_scores: float64 (n,), any order. synthetic_weights: float64 (n, r). Returns float64 (r,).
    """
    order = np.argsort(-synthetic_scores, kind="stable")
    fakes = synthetic_scores[order]
    weights = synthetic_weights[order]
    at_fakes, at_reals = counts_at_or_above(reals_descending[::-1], fakes[::-1], fakes)
    hits = np.cumsum(weights, axis=0)
    total = hits[-1].copy()
    if (np.diff(fakes) == 0.0).any():  # tied fakes form one step, that of the last of them
        hits = hits[at_fakes - 1]
    # precision = pi T / (pi T + (1 - pi) Q), with T and Q each side's share at or above the score
    odds = (1.0 - prevalence) / prevalence * total / real_mass[-1]
    false = real_mass[at_reals]
    false *= odds
    false += hits
    hits /= false
    hits *= weights
    return np.asarray(hits.sum(axis=0) / total, dtype=np.float64)


def cumulative_mass(weights_descending: NDArray[np.float64]) -> NDArray[np.float64]:
    """Running sum over rows with a first row of zeros: float64 (m, r) -> (m + 1, r)."""
    mass = np.zeros((weights_descending.shape[0] + 1, weights_descending.shape[1]))
    np.cumsum(weights_descending, axis=0, out=mass[1:])
    return mass


def replicate_average_precision(
    reals: Side, families: Sequence[Side], prevalence: float, replicates: int, seed: int
) -> NDArray[np.float64]:
    """Bootstrap replicates of every family's AP against the same reals.

    The same seed gives the same group weights, so the replicates of two models may be subtracted.

    Returns float64 (families, replicates). Source: method section 2.
    """
    return replicate_together([(reals, families)], prevalence, replicates, seed)[0]


def replicate_together(
    questions: Sequence[tuple[Side, Sequence[Side]]], prevalence: float, replicates: int, seed: int
) -> list[NDArray[np.float64]]:
    """What `replicate_average_precision` says of each (reals, families): every group's weights are made only once.

    Models and profiles that judge the same pictures share their groups, and making the weights costs the most.
    """
    sides = [side for reals, families in questions for side in (reals, *families)]
    row_of = {name: row for row, name in enumerate(dict.fromkeys(name for _, names in sides for name in names))}
    rows = [np.array([row_of[name] for name in names], dtype=np.intp) for _, names in sides]
    found = [np.empty((len(families), replicates)) for _, families in questions]
    for first, count in _chunks(replicates, max([len(row_of), *(own.size for own in rows)])):
        weights = group_weights(list(row_of), count, seed, first)
        side = iter(rows)
        for (reals, families), drawn in zip(questions, found, strict=True):
            order = np.argsort(-reals[0], kind="stable")
            descending = reals[0][order]
            mass = cumulative_mass(weights[next(side)[order]])
            for k, (fakes, _) in enumerate(families):
                own = weights[next(side)]
                drawn[k, first : first + count] = weighted_average_precision(descending, mass, fakes, own, prevalence)
    return found


def _chunks(replicates: int, rows: int) -> Iterator[tuple[int, int]]:
    size = max(1, _CHUNK_BYTES // (8 * rows))
    for first in range(0, replicates, size):
        yield first, min(size, replicates - first)


def sum_by_group(values: NDArray[np.float64], groups: Sequence[str]) -> NDArray[np.float64]:
    """Sum of the values of each group: float64 (n,) and (n,) keys -> float64 (distinct groups,)."""
    numbers: dict[str, int] = {}
    rows = [numbers.setdefault(group, len(numbers)) for group in groups]
    return np.bincount(rows, weights=values, minlength=len(numbers)).astype(np.float64)


def average_precision_interval(
    estimate: float,
    standard_error: float,
    degrees_of_freedom: float,
    groups: int,
    prevalence: float,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Student's interval around the logit of an AP, cut to what an AP can be.

    On the logit scale the error is nearly symmetric where the AP is near 1. No error is seen when no real scores
    above a fake; yet of g groups a share 1 - tail^(1/g) may do so unseen, at a precision of at least the prevalence:
    that is the lower end of a perfect AP. Of a nearly perfect one it is at most what g groups miss every second time.

    standard_error, degrees_of_freedom: of the AP, by `jackknife`. groups: of the smaller side.
    Coverage, measured: docs/explanation-intervals.md.
    """
    tail = (1.0 - confidence) / 2.0
    floor = average_precision_floor(prevalence)
    seldom, often = (1.0 - (1.0 - prevalence) * (1.0 - share ** (1.0 / groups)) for share in (tail, 0.5))
    if degrees_of_freedom <= 0.0:
        return floor, 1.0
    if estimate >= 1.0:
        return max(floor, seldom), 1.0
    centre = np.log(estimate) - np.log1p(-estimate)
    reach = -float(stdtrit(min(degrees_of_freedom, 1e6), tail)) * standard_error / (estimate * (1.0 - estimate))
    lower, upper = (float(expit(centre + side * reach)) for side in (-1.0, 1.0))
    return max(floor, min(lower, often)), max(floor, upper)


def clopper_pearson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate.

    Counts may be fractions: samples that share groups count as many trials as there are groups.
    Raises ValueError unless 0 <= successes <= trials and trials > 0.
    """
    if not 0.0 <= successes <= trials or trials <= 0.0:
        raise ValueError(f"a rate needs 0 <= successes <= trials, trials > 0; not {successes} of {trials}")
    tail = (1.0 - confidence) / 2.0
    failures = trials - successes
    lower = float(betaincinv(successes, failures + 1.0, tail)) if successes > 0.0 else 0.0
    upper = float(betaincinv(successes + 1.0, failures, 1.0 - tail)) if failures > 0.0 else 1.0
    return lower, upper
