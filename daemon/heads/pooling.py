"""Statistics of many groups, weighted into the few matrices that every solve needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from daemon.cores import cores, side_by_side
from daemon.errors import BadInputError
from daemon.heads.statistics import GroupKey, GroupStatistics, Moments, unpack_triangle
from daemon.model import FOLDS, Subject

_PIECE = 1 << 13  # numbers of each triangle added at once
_KEPT_BYTES = 192 * 2**20  # of a SourceSide
_TILE = 128  # rows and columns of second moments that are added at once
_AT_ONCE = 6  # groups
_LENGTHS = 3  # products of as many lengths


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Per-group counts and means, and the weighted second moments of both sides.

    Weights: families together .5, real sources together .5, subjects equal inside, the groups of a subject
    (its profiles, its forms) share its weight.
    """

    keys: tuple[GroupKey, ...]  # (g,) canonical order: by subject, then profile, then form
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

    def without_source(
        self, source: Subject, statistics: Mapping[GroupKey, GroupStatistics], kept_side: SourceSide | None = None
    ) -> Pooled:
        """The pool as it would be had `source` never been delivered, under any profile.

        Its statistics are subtracted, nothing else is read again.

        Parameters:
            kept_side: the real sources' side of this very pool, which then keeps what is left of it.

        Raises:
            BadInputError: it is the only real source.
        """
        kept = np.array([key.subject != source for key in self.keys])
        keys = tuple(key for key, keep in zip(self.keys, kept, strict=True) if keep)
        weights = group_weights(keys)
        second = None if kept_side is None else kept_side.without.get(source)
        if second is None:
            gone = [(key, float(w)) for key, w, keep in zip(self.keys, self.weights, kept, strict=True) if not keep]
            removed = _weighted_second((w / statistics[key].n, statistics[key]) for key, w in gone)
            before = len(self.sources())
            second = (self.second_sources - removed) * (before / (before - 1))
            if kept_side is not None:
                kept_side.keep(source, second)
        return Pooled(
            keys,
            self.counts[kept],
            self.means[kept],
            weights,
            self.second_families,
            second,
        )


@dataclass(frozen=True, slots=True, eq=False)
class SourceSide:
    """The real sources' part of pools, for the next ones: it depends on the real sources' statistics alone.

    Families come and grow week after week, real sources seldom: most solves find theirs unchanged.
    """

    seconds: tuple[NDArray[np.float64], ...]  # `second_sources` of everything, then of that without each fold
    without: dict[Subject, NDArray[np.float64]] = field(default_factory=dict)  # of everything without a source

    def keep(self, source: Subject, second: NDArray[np.float64]) -> None:
        """Keep what is left without a source, as long as all of it together is not too large."""
        if (len(self.seconds) + len(self.without) + 1) * second.nbytes <= _KEPT_BYTES:
            self.without[source] = second


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
    groups = {subject: sum(key.subject == subject for key in keys) for subject in subjects}
    return np.array([0.5 / sizes[key.subject.kind] / groups[key.subject] for key in keys])


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
    return _pool(statistics, min_group, (without_fold,))[0]


def pool_without_each_fold(
    statistics: Mapping[GroupKey, GroupStatistics], min_group: int, kept_side: SourceSide | None = None
) -> tuple[Pooled, ...]:
    """The pool of everything, then that without each fold: what `pool_statistics` gives, read in one pass.

    kept_side: the real sources' side of pools made by the same `min_group`, when their statistics are still the same.
    """
    return _pool(statistics, min_group, (None, *range(FOLDS)), kept_side)


def _pool(
    statistics: Mapping[GroupKey, GroupStatistics],
    min_group: int,
    without: Sequence[int | None],
    kept_side: SourceSide | None = None,
) -> tuple[Pooled, ...]:
    modelled = modelled_keys({key: group.n for key, group in statistics.items()}, min_group)
    counts = {key: np.array([fold.count for fold in statistics[key].folds]) for key in modelled}
    totals = {key: np.stack([fold.total() for fold in statistics[key].folds]) for key in modelled}
    if len({total.shape for total in totals.values()}) > 1:
        raise BadInputError("the groups' statistics come from vectors of different dimensions")
    factors = {key: np.zeros((len(without), FOLDS)) for key in modelled}
    parts: list[tuple[tuple[GroupKey, ...], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
    for p, left_out in enumerate(without):
        kept = np.arange(FOLDS) != left_out
        keys = tuple(key for key in modelled if counts[key][kept].sum())
        weights = group_weights(keys)
        own = np.array([counts[key][kept].sum() for key in keys], np.int64)
        means = np.stack([totals[key][kept].sum(axis=0) for key in keys]) / own[:, None]
        for key, weight, count in zip(keys, weights, own, strict=True):
            factors[key][p, kept] = weight / count
        parts.append((keys, own, means, weights))

    def seconds(kind: str) -> list[NDArray[np.float64]]:
        return _weighted_seconds(
            ((factors[key], statistics[key]) for key in modelled if key.subject.kind == kind), len(without)
        )

    families = seconds("family")
    sources = seconds("source") if kept_side is None else kept_side.seconds
    return tuple(Pooled(*part, families[p], sources[p]) for p, part in enumerate(parts))


def _weighted_second(groups: Iterable[tuple[float, GroupStatistics]]) -> NDArray[np.float64]:
    """Sum of factor * G over the groups, (d, d)."""
    return _weighted_seconds(((np.full((1, FOLDS), factor), group) for factor, group in groups), 1)[0]


def _weighted_seconds(
    groups: Iterable[tuple[NDArray[np.float64], GroupStatistics]], pools: int
) -> list[NDArray[np.float64]]:
    """Sum of factor * G over groups and folds, for each pool (d, d); every group is read once for all pools.

    groups: each with its factors, (pools, FOLDS). Kept rows enter in products, packed triangles as vectors.
    """
    rows: _WeightedRows | None = None
    triangles: NDArray[np.float64] | None = None
    for factors, group in groups:
        if rows is None:
            rows = _WeightedRows(pools, group.dimension)
        packed = [(f, fold.packed.triangle) for f, fold in enumerate(group.folds) if fold.packed is not None]
        if packed:
            if triangles is None:
                triangles = np.zeros((pools, len(packed[0][1])))
            _add_triangles(triangles, factors[:, [f for f, _ in packed]], [triangle for _, triangle in packed])
        rows.add(factors, [fold.rows for fold in group.folds])
    if rows is None:
        raise BadInputError("there are no groups to pool")
    full = rows.finish()
    if triangles is None:
        return full
    return [own + unpack_triangle(triangle, len(own)) for own, triangle in zip(full, triangles, strict=True)]


def _add_triangles(
    into: NDArray[np.float64], factors: NDArray[np.float64], triangles: Sequence[NDArray[np.float64]]
) -> None:
    """into (pools, m) += factors (pools, k) @ triangles (k, m), piece by piece so that it stays in the cache."""
    for start in range(0, into.shape[1], _PIECE):
        piece = slice(start, start + _PIECE)
        into[:, piece] += factors @ np.stack([triangle[piece] for triangle in triangles])


class _WeightedRows:
    """Sum of factor * rows' rows over groups and folds, for each pool (d, d).

    Each fold of a group is multiplied once and added to every pool: a product for each pool would be five times the
    work. The lower triangle is kept as square tiles, and groups are taken in a few at a time, so that what is
    multiplied, weighted and added stays in the cache; in few calls, for each of them waits for Python's lock.
    A pool that leaves a fold out takes its rows with the factor nought.
    """

    def __init__(self, pools: int, dimension: int) -> None:
        starts = range(0, dimension, _TILE)
        self._dimension = dimension
        self._tiles = [(row, column) for row in starts for column in range(0, row + 1, _TILE)]
        self._sums = np.zeros((len(self._tiles), pools, _TILE * _TILE))
        self._shares = [range(core, len(self._tiles), cores()) for core in range(min(cores(), len(self._tiles)))]
        self._factors: list[NDArray[np.float64]] = []  # of the groups that wait, (pools, folds)
        self._kept: list[NDArray[np.float16]] = []  # their rows, a fold for each column of the factors

    def add(self, factors: NDArray[np.float64], folds: Sequence[NDArray[np.float16]]) -> None:
        """Take in a group. factors: (pools, FOLDS)."""
        there = [f for f, rows in enumerate(folds) if len(rows)]
        if not there:
            return
        self._factors.append(factors[:, there])
        self._kept += [folds[f] for f in there]
        if len(self._factors) == _AT_ONCE:
            self._take_in()

    def _take_in(self) -> None:
        """Add the groups that wait."""
        # Folds of about the same length are multiplied in one call, filled up with rows of zeros.
        order = sorted(range(len(self._kept)), key=lambda fold: len(self._kept[fold]))
        own = np.hstack(self._factors)[:, order]
        parts = [part for part in np.array_split(order, _LENGTHS) if len(part)]
        alike = [_filled_up([self._kept[fold] for fold in part]) for part in parts]
        ends = np.cumsum([len(part) for part in parts])

        def take_in(share: range) -> None:
            for tile in share:
                down, across = (slice(start, min(start + _TILE, self._dimension)) for start in self._tiles[tile])
                products = np.empty((len(order), down.stop - down.start, across.stop - across.start))
                for end, rows in zip(ends, alike, strict=True):
                    into = products[end - len(rows) : end]
                    np.matmul(rows[:, :, down].transpose(0, 2, 1), rows[:, :, across], out=into)
                weighted = own @ products.reshape(len(order), -1)
                self._sums[tile, :, : weighted.shape[1]] += weighted  # the last tiles may be smaller

        side_by_side(take_in, self._shares)
        self._factors, self._kept = [], []

    def finish(self) -> list[NDArray[np.float64]]:
        """The sums, symmetric."""
        if self._factors:
            self._take_in()
        full = np.zeros((self._sums.shape[1], self._dimension, self._dimension))
        for (row, column), sums in zip(self._tiles, self._sums, strict=True):
            height, width = (min(_TILE, self._dimension - start) for start in (row, column))
            tile = sums[:, : height * width].reshape(-1, height, width)
            if row == column:
                tile = np.tril(tile) + np.tril(tile, -1).transpose(0, 2, 1)
            full[:, row : row + height, column : column + width] = tile
            full[:, column : column + width, row : row + height] = tile.transpose(0, 2, 1)
        return list(full)


def _filled_up(folds: Sequence[NDArray[np.float16]]) -> NDArray[np.float64]:
    """The folds' rows, (folds, m, d), with zeros after the rows of those that have fewer than m."""
    filled = np.zeros((len(folds), max(map(len, folds)), folds[0].shape[1]))
    for into, rows in zip(filled, folds, strict=True):
        into[: len(rows)] = rows
    return filled
