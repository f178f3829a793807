"""Cross-fitting: heads solved without one fold, so that a learned row still gets an honest score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.closed_form import ClosedFormHead
from daemon.heads.head import Head, Vectors
from daemon.heads.pooling import Pooled, pool_without_each_fold
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import solve_pooled
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.model import FOLDS


def fold_heads(statistics: Mapping[GroupKey, GroupStatistics], settings: HeadSettings) -> tuple[ClosedFormHead, ...]:
    """FOLDS heads; head f is solved from all statistics but those of fold f.

    Raises:
        BadInputError: without some fold no family or no real source is left.

    Source: method section 5, cross-fitting of small families.
    """
    return solve_folds(pool_without_each_fold(statistics, settings.min_group)[1:], settings)


def solve_folds(pools: Sequence[Pooled], settings: HeadSettings) -> tuple[ClosedFormHead, ...]:
    """`fold_heads` from the pools without each fold."""
    return tuple(solve_pooled(pool, settings) for pool in pools)


def held_out_scores(
    head: Head,
    fold_heads: Sequence[Head],
    vectors: Vectors,
    folds: NDArray[np.int8],
    learned: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Logits by heads that have not seen the row, float64 (n,).

    Parameters:
        head: scores the rows that were never learned.
        fold_heads: FOLDS heads, a learned row is scored by that of its fold; or none, when `head` learned nothing of
            this store, and scores every row.
        vectors: (n, d), as in `Head.scores`.
        folds: int8 (n,), 0 .. FOLDS - 1.
        learned: bool (n,), whether the head's statistics hold the row.

    Raises:
        BadInputError: the lengths differ, or a fold is unknown.
    """
    if not fold_heads:
        return head.scores(vectors)
    if len(fold_heads) != FOLDS or folds.shape != (len(vectors),) or learned.shape != (len(vectors),):
        raise BadInputError(f"held-out scores want {FOLDS} fold heads and one fold and mark for each row")
    if not np.isin(folds, np.arange(FOLDS)).all():
        raise BadInputError(f"a fold is outside 0..{FOLDS - 1}")
    result = np.empty(len(vectors))
    result[~learned] = head.scores(vectors[~learned])
    for f, fold_head in enumerate(fold_heads):
        rows = learned & (folds == f)
        result[rows] = fold_head.scores(vectors[rows])
    return result
