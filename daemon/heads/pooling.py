"""Statistics of many groups, weighted into the few matrices that every solve needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.statistics import GroupKey, GroupStatistics, Moments, unpack_triangle
from daemon.model import Subject

_BUFFER_ROWS = 2048  # rows multiplied at once: large enough for a fast product, small enough for any memory


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Per-group counts and means, and the weighted second moments of both sides.

    Weights: families together .5, real sources together .5, subjects equal inside, the profiles of a subject
    share its weight.
    """

    keys: tuple[GroupKey, ...]  # (g,) canonical order: by subject, then profile
    counts: NDArray[np.int64]  # (g,)
    means: NDArray[np.float64]  # (g, d)
    weights: NDArray[np.float64]  # (g,) sum 1
    second_families: NDArray[np.float64]  # (d, d) sum over family groups of w_g G_g / n_g
    second_sources: NDArray[np.float64]  # (d, d) the same over real sources

    @property
    def second(self) -> NDArray[np.float64]:
        """Weighted mean of x x' over all groups, (d, d)."""
        return self.second_families + self.second_sources

    def sources(self) -> tuple[Subject, ...]:
        """The real sources in the pool."""
        return tuple(sorted({key.subject for key in self.keys if key.subject.kind == "source"}))

    def without_source(self, source: Subject, statistics: Mapping[GroupKey, GroupStatistics]) -> Pooled:
        """The pool as it would be had `source` never been delivered, under any profile.

        Its statistics are subtracted, nothing else is read again.

        Raises:
            BadInputError: it is the only real source.
        """
        kept = np.array([key.subject != source for key in self.keys])
        keys = tuple(key for key, keep in zip(self.keys, kept, strict=True) if keep)
        weights = group_weights(keys)
        gone = [(key, float(w)) for key, w, keep in zip(self.keys, self.weights, kept, strict=True) if not keep]
        removed = _weighted_second(((w / statistics[key].n, statistics[key]) for key, w in gone), None)
        before = len(self.sources())
        return Pooled(
            keys,
            self.counts[kept],
            self.means[kept],
            weights,
            self.second_families,
            (self.second_sources - removed) * (before / (before - 1)),
        )


def group_weights(keys: Sequence[GroupKey]) -> NDArray[np.float64]:
    """Weight of each group, (g,), summing to 1 (method section 4, "Weights").

    Raises:
        BadInputError: there is no family or no real source among the groups.
    """
    subjects = {key.subject for key in keys}
    sizes = {kind: sum(subject.kind == kind for subject in subjects) for kind in ("family", "source")}
    for kind, what in (("family", "synthetic family"), ("source", "real source")):
        if not sizes[kind]:
            raise BadInputError(f"a head needs a {what} with enough pictures to learn from: deliver more")
    profiles = {subject: sum(key.subject == subject for key in keys) for subject in subjects}
    return np.array([0.5 / sizes[key.subject.kind] / profiles[key.subject] for key in keys])


def modelled_keys(counts: Mapping[GroupKey, int], min_group: int) -> tuple[GroupKey, ...]:
    """The groups that have enough rows to be modelled, in canonical order."""
    return tuple(sorted(key for key, count in counts.items() if count >= min_group))


def pool_moments(groups: Mapping[GroupKey, Moments], min_group: int) -> Pooled:
    """Pool ready-made moments; groups under `min_group` rows are left out."""
    keys = modelled_keys({key: moments.count for key, moments in groups.items()}, min_group)
    weights = group_weights(keys)
    dimension = len(groups[keys[0]].total)
    second = {kind: np.zeros((dimension, dimension)) for kind in ("family", "source")}
    for key, weight in zip(keys, weights, strict=True):
        second[key.subject.kind] += (weight / groups[key].count) * groups[key].second
    return Pooled(
        keys,
        np.array([groups[key].count for key in keys], np.int64),
        np.stack([groups[key].total / groups[key].count for key in keys]),
        weights,
        second["family"],
        second["source"],
    )


def pool_statistics(
    statistics: Mapping[GroupKey, GroupStatistics], min_group: int, without_fold: int | None = None
) -> Pooled:
    """Pool group statistics, all folds or all but one, without building a (d, d) matrix per group.

    A group is modelled when it has `min_group` rows over ALL folds, so that a fold's head knows the families
    that the full head knows; only a group with no row left falls out.
    """
    counts = {}
    totals = {}
    for key in modelled_keys({key: group.n for key, group in statistics.items()}, min_group):
        folds = [fold for f, fold in enumerate(statistics[key].folds) if f != without_fold]
        count = sum(fold.count for fold in folds)
        if count:
            counts[key] = count
            totals[key] = np.sum([fold.total() for fold in folds], axis=0)
    keys = tuple(counts)
    weights = group_weights(keys)
    if len({len(total) for total in totals.values()}) > 1:
        raise BadInputError("the groups' statistics come from vectors of different dimensions")
    seconds = {
        kind: _weighted_second(
            (
                (float(weight) / counts[key], statistics[key])
                for key, weight in zip(keys, weights, strict=True)
                if key.subject.kind == kind
            ),
            without_fold,
        )
        for kind in ("family", "source")
    }
    return Pooled(
        keys,
        np.array([counts[key] for key in keys], np.int64),
        np.stack([totals[key] / counts[key] for key in keys]),
        weights,
        seconds["family"],
        seconds["source"],
    )


def _weighted_second(groups: Iterable[tuple[float, GroupStatistics]], without_fold: int | None) -> NDArray[np.float64]:
    """Sum of factor * G over the groups: kept rows in large products, packed triangles as vectors."""
    full: NDArray[np.float64] | None = None
    triangle: NDArray[np.float64] | None = None
    waiting: list[NDArray[np.float64]] = []
    dimension = 0
    for factor, group in groups:
        if full is None:
            dimension = group.dimension
            full = np.zeros((dimension, dimension))
        for f, fold in enumerate(group.folds):
            if f == without_fold:
                continue
            if fold.packed is not None:
                if triangle is None:
                    triangle, scaled = np.zeros((2, len(fold.packed.triangle)))
                triangle += np.multiply(fold.packed.triangle, factor, out=scaled)  # no array per fold
            if len(fold.rows):
                waiting.append(np.sqrt(factor) * fold.rows.astype(np.float64))
        if sum(map(len, waiting)) >= _BUFFER_ROWS:
            full += _square(waiting)
            waiting = []
    if full is None:
        raise BadInputError("there are no groups to pool")
    if waiting:
        full += _square(waiting)
    return full if triangle is None else full + unpack_triangle(triangle, dimension)


def _square(blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    rows = np.concatenate(blocks)
    product: NDArray[np.float64] = rows.T @ rows
    return product
