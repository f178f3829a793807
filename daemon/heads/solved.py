"""The heads of a version as they are solved, and those of the last one: another weight of families needs no solve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock

import numpy as np

from daemon.cores import side_by_side
from daemon.heads.closed_form import ClosedFormHead
from daemon.heads.pooling import Pooled, SourceSide, group_weights, pool_without_each_fold
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import log_priors, solve_pooled
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.model import Subject

Statistics = Mapping[GroupKey, GroupStatistics]


class SolvedHeads:
    """The head of everything, those without each fold and those without a real source; each is solved once."""

    def __init__(
        self,
        pooled: Pooled,
        without_folds: Sequence[Pooled],
        settings: HeadSettings,
        side: SourceSide | None = None,
    ) -> None:
        self.pooled = pooled
        self._without_folds = without_folds
        self._settings = settings
        self._side = side  # of the pool
        self._whole: ClosedFormHead | None = None
        self._folds: tuple[ClosedFormHead, ...] | None = None
        self._without: dict[Subject, ClosedFormHead] = {}

    def whole(self) -> ClosedFormHead:
        """The head of everything."""
        if self._whole is None:
            self._whole = solve_pooled(self.pooled, self._settings)
        return self._whole

    def folds(self) -> tuple[ClosedFormHead, ...]:
        """The heads without each fold."""
        if self._folds is None:
            self._folds = tuple(side_by_side(self._solved, self._without_folds))
            self._without_folds = ()  # large
        return self._folds

    def _solved(self, pool: Pooled) -> ClosedFormHead:
        return solve_pooled(pool, self._settings)

    def without(self, source: Subject, statistics: Statistics) -> ClosedFormHead:
        """The head without a real source; one that was never learned is left out already.

        statistics: those that the pool was made from; only the real sources' are read.
        """
        if source not in self.pooled.sources():
            return self.whole()
        if source not in self._without:
            left = self.pooled.without_source(source, statistics, self._side)
            self._without[source] = solve_pooled(left, self._settings)
        return self._without[source]

    def weighted(self, settings: HeadSettings) -> SolvedHeads:
        """The same heads with the priors of other settings, which differ in nothing else."""
        same = SolvedHeads(self.pooled, self._without_folds, settings, self._side)
        whole, folds = self._whole, self._folds
        same._whole = None if whole is None else _weighted(whole, settings)
        same._folds = None if folds is None else tuple(_weighted(head, settings) for head in folds)
        # A copy first: another thread may be solving one more.
        same._without = {source: _weighted(head, settings) for source, head in dict(self._without).items()}
        return same


class LastSolved:
    """Keeps the heads that were solved last, and the real sources' side of the pools that they were solved from.

    At most 0.3 GB of 1,024 features, whatever the number of pictures.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: tuple[tuple[object, ...], SolvedHeads] | None = None
        self._side: tuple[tuple[object, ...], SourceSide] | None = None

    def heads(self, statistics: Statistics, digests: Mapping[GroupKey, str], settings: HeadSettings) -> SolvedHeads:
        """The heads of these statistics: the last ones with other weights, when it was these that they are of.

        digests: sha256 (hex) of each group's statistics; without them all nothing is taken for the same.
        Raises BadInputError: there is no family or no real source to learn from.
        """
        key = (tuple(sorted(digests.items())), replace(settings, log_priors=()))
        with self._lock:
            last, side = self._last, self._side
        if last is not None and last[0] == key and digests.keys() == statistics.keys():
            heads = last[1].weighted(settings)
        else:
            sources = _sources_key(statistics, digests, settings)
            known = side[1] if side is not None and side[0] == sources else None
            pooled, *without_folds = pool_without_each_fold(statistics, settings.min_group, known)
            known = known or SourceSide(tuple(pool.second_sources for pool in (pooled, *without_folds)))
            side = None if sources is None else (sources, known)
            heads = SolvedHeads(pooled, without_folds, settings, known)
        with self._lock:
            self._last, self._side = (key, heads), side
        return heads


def _sources_key(
    statistics: Statistics, digests: Mapping[GroupKey, str], settings: HeadSettings
) -> tuple[object, ...] | None:
    """What decides the real sources' side of a pool; None when a digest is not told."""
    sources = sorted(key for key in statistics if key.subject.kind == "source")
    if not all(key in digests for key in sources):
        return None
    return settings.min_group, tuple((key, digests[key]) for key in sources)


def _weighted(head: ClosedFormHead, settings: HeadSettings) -> ClosedFormHead:
    return replace(head, log_weights=np.log(group_weights(head.keys)) + log_priors(head.keys, settings))
