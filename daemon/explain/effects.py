"""How far a family lies from others along one characteristic: standardised differences with intervals.

A characteristic is one number (a concept's cosine) or a block of features. Both are summarised by mean, spread and
error of the mean, so that group statistics serve as well as the vectors themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.stats import norm, t

from daemon.errors import BadInputError

LEVEL = 0.95  # of the intervals
MIN_GROUPS = 3  # with fewer groups the error of a mean cannot be told from the mean
_INERT = 1e-13  # variance below this share of the mean square: the feature does not vary (float16, as in heads)
_LEAST_FREEDOM = 0.2  # share of the degrees of freedom that the features must leave


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What an effect needs to know of a set of pictures."""

    mean: NDArray[np.float64]  # (p,)
    covariance: NDArray[np.float64]  # (p, p) spread of single pictures
    error: NDArray[np.float64]  # (p, p) covariance of the mean as an estimate
    pictures: int
    groups: int  # independent votes behind the mean
    freedom: int  # degrees of freedom behind the covariance

    def take(self, column: int) -> Summary:
        """The summary of one of the p numbers."""
        one = slice(column, column + 1)
        return replace(self, mean=self.mean[one], covariance=self.covariance[one, one], error=self.error[one, one])


@dataclass(frozen=True, slots=True)
class Effect:
    """A standardised difference; the unit is the spread of the pictures compared with."""

    value: float  # a block: >= 0; one number: signed
    lower: float
    upper: float
    approximate: bool = False  # few groups, or more features than the spread is known for

    @property
    def proved(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.lower > 0.0 or self.upper < 0.0


def summarise(values: NDArray[np.float64], groups: Sequence[str]) -> Summary:
    """Summary of pictures; pictures of one group count as one vote for the error of the mean.

    Parameters:
        values: float64 (n, p).
        groups: (n,) group keys.

    Raises:
        BadInputError: under two groups.

    Source: the cluster-robust covariance of a mean, Liang & Zeger 1986, with the factor G / (G - 1).
    """
    n = len(values)
    _, members = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    count = int(members.max()) + 1 if n else 0
    if count < 2:
        raise BadInputError(f"{n} pictures of {count} groups have no spread")
    mean = values.mean(axis=0)
    centred = values - mean
    votes = np.zeros((count, values.shape[1]))
    np.add.at(votes, members, centred / n)
    error = count / (count - 1) * (votes.T @ votes)
    return Summary(mean, centred.T @ centred / (n - 1), error, n, count, n - 1)


def summarise_moments(count: int, total: NDArray[np.float64], second: NDArray[np.float64]) -> Summary:
    """Summary from count, sum (p,) and second moment (p, p); every picture counts as its own group.

    Raises:
        BadInputError: under two pictures.
    """
    if count < 2:
        raise BadInputError(f"{count} pictures have no spread")
    mean = total / count
    covariance = (second / count - np.outer(mean, mean)) * (count / (count - 1))
    return Summary(mean, covariance, covariance / count, count, count, count - 1)


def pool(parts: Iterable[Summary]) -> Summary:
    """Several sources or families as one population in which each weighs the same; taken one after the other.

    The spread includes that between their means: what differs as much between two photo collections is no
    difference to photographs.

    Raises:
        BadInputError: there are none.
    """
    means: list[NDArray[np.float64]] = []
    covariance: NDArray[np.float64] | float = 0.0
    error: NDArray[np.float64] | float = 0.0
    pictures = groups = freedom = 0
    for part in parts:
        means.append(part.mean)
        covariance, error = covariance + part.covariance, error + part.error
        pictures, groups, freedom = pictures + part.pictures, groups + part.groups, freedom + part.freedom
    if not means:
        raise BadInputError("there is nothing to compare with")
    every = np.stack(means)
    mean = every.mean(axis=0)
    between = (every - mean).T @ (every - mean) / len(every)
    return Summary(
        mean, covariance / len(every) + between, np.asarray(error / len(every) ** 2), pictures, groups, freedom
    )


def number_effect(own: Summary, other: Summary) -> Effect:
    """Glass's delta with Hedges' correction, for one number per picture.

    own: p = 1, the family. other: p = 1, what it is compared with; its spread is the unit, for a new family has
    too few pictures to know its own.

    Source: Glass 1976; Hedges 1981 for the correction and the variance; Student's t over the family's groups.
    """
    spread = float(np.sqrt(other.covariance[0, 0]))
    if not spread > 0.0:
        return Effect(0.0, 0.0, 0.0, approximate=True)
    correction = 1.0 - 3.0 / (4.0 * other.freedom - 1.0) if other.freedom > 1 else 1.0
    value = float(own.mean[0] - other.mean[0]) / spread * correction
    variance = float(own.error[0, 0] + other.error[0, 0]) / spread**2 + value**2 / (2.0 * other.freedom)
    reach = float(t.ppf(0.5 + LEVEL / 2.0, own.groups - 1)) * float(np.sqrt(variance))
    return Effect(value, value - reach, value + reach, approximate=own.groups < 10)


def block_effect(own: Summary, other: Summary, ridge: float) -> Effect:
    """Distance of two means along a block's own best direction, free of the bias that many features bring.

    The plug-in Mahalanobis distance of two equal populations grows with the number of features over the number of
    pictures, and a cross-fitted discriminant shrinks with it: both rank blocks by their size when a family is
    small. Here the expected contribution of noise is subtracted from the square, so that its mean over samples is
    the true one whatever the size of the block.

    Parameters:
        own, other: summaries of the same block; other's spread is the unit.
        ridge: share of each feature's variance added to it, as in the head.

    Returns:
        An effect >= 0; its lower bound is 0 when the difference is not proved.

    Source: the bias-corrected distance and its variance of Bai & Saranadasa 1996 (also Walther et al. 2016 for
    distances between patterns), in the whitened space; the factor (f - p - 1) / f of an inverted covariance,
    Lachenbruch & Mickey 1968.
    """
    whitened = _whitened(own, other, ridge)
    if whitened is None:
        return Effect(0.0, 0.0, 0.0, approximate=True)
    shift, error, kept = whitened
    noise = float(np.trace(error))
    square = _trace_of_square(error, noise, own.groups - 1)
    # `shift` and `error` are noisy alike: the noise of the first enters the cross term once more, and is taken out.
    variance = 4.0 * max(float(shift @ error @ shift) - square, 0.0) + 2.0 * square
    distance = float(shift @ shift) - noise
    variance += 2.0 * distance**2 / max(other.freedom, 1)  # the unit itself is an estimate
    reach = float(norm.ppf(0.5 + LEVEL / 2.0)) * float(np.sqrt(variance))
    value, lower, upper = (float(np.sqrt(max(d, 0.0) * kept)) for d in (distance, distance - reach, distance + reach))
    return Effect(value, lower, upper, approximate=own.groups < 10 or kept <= _LEAST_FREEDOM)


def squared_distance(own: Summary, other: Summary, ridge: float) -> float:
    """The square of `block_effect`'s value, not cut off at 0."""
    whitened = _whitened(own, other, ridge)
    if whitened is None:
        return 0.0
    shift, error, kept = whitened
    return (float(shift @ shift) - float(np.trace(error))) * kept


def _whitened(
    own: Summary, other: Summary, ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float] | None:
    """The shift (q,) and its error (q, q) in the space where other's spread is 1, and the inversion's factor."""
    variance = np.diagonal(other.covariance)
    varies = variance > _INERT * (variance + other.mean**2)
    if not varies.any():
        return None
    scale = np.sqrt(variance[varies])
    spread = other.covariance[np.ix_(varies, varies)] / np.outer(scale, scale)
    lower = cholesky(spread + ridge * np.eye(len(scale)), lower=True)
    shift = solve_triangular(lower, (own.mean - other.mean)[varies] / scale, lower=True)
    half = solve_triangular(
        lower, (own.error + other.error)[np.ix_(varies, varies)] / np.outer(scale, scale), lower=True
    )
    error = solve_triangular(lower, half.T, lower=True)
    inverse = solve_triangular(lower, np.eye(len(scale)), lower=True)
    used = len(scale) - ridge * float(np.einsum("ij,ij->", inverse, inverse))  # effective number of features
    kept = (other.freedom - used - 1.0) / other.freedom if other.freedom else 0.0
    return shift, error, max(kept, _LEAST_FREEDOM)


def _trace_of_square(error: NDArray[np.float64], trace: float, freedom: int) -> float:
    """tr(V^2) of the true covariance from its estimate, never below what its trace allows (Cauchy-Schwarz)."""
    raw = float(np.einsum("ij,ij->", error, error))
    least = trace**2 / len(error)
    if freedom < 2:
        return max(raw, least)
    return max(freedom**2 / ((freedom + 2.0) * (freedom - 1.0)) * (raw - trace**2 / freedom), least)
