"""AP with its standard error by the infinitesimal jackknife over groups, many families against one real pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, repeat

import numpy as np
from numpy.typing import NDArray

from daemon.evaluate.average_precision import checked_scores


@dataclass(frozen=True, slots=True)
class RealPool:
    """The reals that families are measured against, sorted and their groups numbered once."""

    scores: NDArray[np.float64]  # (m,) ascending
    codes: NDArray[np.int64]  # (m,) number of each score's group
    numbers: dict[str, int]  # group key -> number, below m

    @classmethod
    def of(cls, scores: NDArray[np.float64], groups: Sequence[str]) -> RealPool:
        """From (m,) scores and (m,) group keys. Raises ValueError on an empty side, a NaN or a wrong length."""
        values = checked_side(scores, groups, "real")
        codes, numbers = _numbered(groups)
        order = np.argsort(values, kind="stable")
        return cls(values[order], codes[order], numbers)


@dataclass(frozen=True, slots=True)
class FakeSide:
    """One family's fakes among a real pool."""

    scores: NDArray[np.float64]  # (n,) ascending
    own: NDArray[np.int64]  # (n,) number of each score's group among the family's groups, 0 .. groups - 1
    joint: NDArray[np.int64]  # (groups,) the same groups among the pool's; those that it has not come after them
    below: NDArray[np.int64]  # (n,) how many reals score below each
    not_above: NDArray[np.int64]  # (n,) how many reals score below or the same

    @classmethod
    def of(cls, pool: RealPool, scores: NDArray[np.float64], groups: Sequence[str], side: str) -> FakeSide:
        """From (n,) scores and (n,) group keys. Raises ValueError, naming the side, as `RealPool.of`."""
        values = checked_side(scores, groups, side)
        codes, numbers = _numbered(groups)
        own = np.unique(codes, return_inverse=True)[1]
        joint = np.fromiter(map(pool.numbers.get, numbers, repeat(-1)), dtype=np.int64, count=len(numbers))
        fresh = joint < 0
        joint[fresh] = pool.scores.size + np.arange(np.count_nonzero(fresh))
        order = np.argsort(values, kind="stable")
        ascending = values[order]
        return cls(
            ascending,
            own[order],
            joint,
            np.searchsorted(pool.scores, ascending, side="left"),
            np.searchsorted(pool.scores, ascending, side="right"),
        )

    @property
    def groups(self) -> int:
        """How many distinct groups the fakes have."""
        return int(self.joint.size)

    def group_means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of each group's values: float64 (n,) in the order of `scores` -> float64 (groups,)."""
        if self.groups == values.size:
            return values
        means: NDArray[np.float64] = np.bincount(self.own, weights=values) / np.bincount(self.own)
        return means


@dataclass(frozen=True, slots=True)
class Jackknife:
    """An AP and how surely it is known."""

    ap: float
    standard_error: float  # over groups
    degrees_of_freedom: float  # of that standard error; 0 when it cannot be told


def checked_side(scores: NDArray[np.float64], groups: Sequence[str], side: str) -> NDArray[np.float64]:
    """The scores as float64 (n,). Raises ValueError, naming the side, when they cannot be measured."""
    values = checked_scores(scores, side)
    if len(groups) != values.size:
        raise ValueError(f"{values.size} {side} scores came with {len(groups)} groups")
    return values


def _numbered(groups: Sequence[str]) -> tuple[NDArray[np.int64], dict[str, int]]:
    """A number for each key, that of its first place."""
    numbers: dict[str, int] = {}
    codes = np.fromiter(map(numbers.setdefault, groups, count()), dtype=np.int64, count=len(groups))
    return codes, numbers


def jackknife(pool: RealPool, fakes: FakeSide, prevalence: float) -> Jackknife:
    """AP at the prevalence, its standard error, and the degrees of freedom of that.

    The derivative of the AP by each sample's weight, with its side renormalised, summed over a group's reals
    and fakes; the squares of the groups' sums add up to the variance. Its degrees of freedom are those that
    the spread of the squares shows (Satterthwaite 1946), at most one less than either side has groups.
    Source: method section 2.
    """
    n, m = fakes.scores.size, pool.scores.size
    # Tied fakes form one step: each counts all that score at or above it.
    first = np.searchsorted(fakes.scores, fakes.scores, side="left")
    hits = prevalence * (n - first) / n
    false = (1.0 - prevalence) * (m - fakes.below) / m
    pooled = hits + false
    precision = hits / pooled
    # Summed over the fakes at or below a sample: those whose precision the sample's weight enters.
    by_hit = np.cumsum(prevalence * false / pooled**2 / n)
    by_false = np.concatenate(([0.0], np.cumsum((1.0 - prevalence) * hits / pooled**2 / n)))
    last = np.searchsorted(fakes.scores, fakes.scores, side="right")
    fake_effect = precision + by_hit[last - 1]
    fakes_at_or_below = np.cumsum(np.bincount(fakes.below, minlength=m + 1))[:m]
    real_effect = -by_false[fakes_at_or_below]
    effects = np.zeros(m + fakes.groups)
    effects[:m] = np.bincount(pool.codes, weights=(real_effect - real_effect.mean()) / m, minlength=m)
    effects[fakes.joint] += np.bincount(fakes.own, weights=(fake_effect - fake_effect.mean()) / n)
    distinct = len(pool.numbers) + int(np.count_nonzero(fakes.joint >= m))
    squares = np.square(effects)
    return Jackknife(
        ap=float(precision.mean()),
        standard_error=float(np.sqrt(squares.sum())),
        degrees_of_freedom=min(_degrees(squares, distinct), fakes.groups - 1.0, len(pool.numbers) - 1.0),
    )


def _degrees(squares: NDArray[np.float64], groups: int) -> float:
    """Degrees of freedom of a sum of squares of independent terms with mean zero, from their own spread."""
    total = float(squares.sum())
    spread = float(np.square(squares).sum()) - total**2 / groups
    return 2.0 * total**2 / spread if spread > 0.0 else float("inf")
