"""How well file metadata alone separates two sets of pictures: a cross-validated AUROC; pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daemon.drift.placement import placement_values
from daemon.drift.votes import group_votes
from daemon.evaluate.confidence_sequence import mean_interval
from daemon.model import FOLDS, FileRow

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_BINS = 10  # of each side's quantiles, per number


@dataclass(frozen=True, slots=True)
class Separation:
    """What metadata alone says of which side a picture is on."""

    auroc: float  # each picture against those of the other side in its own fold; .5: nothing
    lower: float  # 95 % betting confidence sequence over groups
    upper: float
    n: int  # pictures placed
    groups: int  # distinct groups among them


# Of the pictures of a batch and of others; None: there are too few in each fold.
Separate = Callable[[Sequence[FileRow], Sequence[FileRow]], Separation | None]


def separation(batch: Sequence[FileRow], others: Sequence[FileRow]) -> Separation | None:
    """Cross-validated AUROC of metadata that tells the pictures of a batch from others.

    Folds are those of the groups, so that no group stands on both sides of one. The classifier is scikit-learn's
    logistic regression, balanced, on one-hot codes: of a dozen pictures it learns more than boosted trees do, in a
    hundredth of their time, and nothing about it is random. Numbers are cut at the quantiles of both sides of
    the learned folds, for what gives a file away is a value (a size, a quality), not more or less of it. A picture is
    placed among the others of its own fold only, so scores of different fits are never compared.

    Parameters:
        batch, others: pictures whose file facts are known.

    Returns:
        None when no fold has both sides, in itself and in the folds beside it.

    Source: method section 6, point 1.
    """
    rows = [*batch, *others]
    ours = np.arange(len(rows)) < len(batch)
    folds = np.array([row.fold for row in rows], np.int8)
    numbers, words = _numbers(rows), _ranks(_words(rows))
    values: list[NDArray[np.float64]] = []
    groups: list[str] = []
    for fold in range(FOLDS):
        held = folds == fold
        if not all(side.any() for side in (held & ours, held & ~ours, ~held & ours, ~held & ~ours)):
            continue
        scores = _held_out_scores(numbers, words, ours, held)
        values.append(placement_values(scores[~ours[held]], scores[ours[held]]))
        groups += [rows[i].group for i in np.flatnonzero(held & ours)]
    if not values:
        return None
    placed = np.concatenate(values)
    votes, voters = group_votes(placed, groups)
    area = float(placed.mean())
    lower, upper = mean_interval(votes)
    # The sequence is for the mean of the groups, which weighs a group of many pictures like one of few.
    return Separation(area, min(area, lower), max(area, upper), len(placed), len(voters))


def _held_out_scores(
    numbers: NDArray[np.float64], words: NDArray[np.intp], ours: NDArray[np.bool_], held: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Scores of the held pictures by a classifier of all the others; higher: more like the batch."""
    from sklearn.linear_model import LogisticRegression  # here, for `status` does without

    edges = [_edges(column[~held & ours], column[~held & ~ours]) for column in numbers.T]
    binned = np.stack([_binned(column, cut) for column, cut in zip(numbers.T, edges, strict=True)], axis=1)
    learned, told = one_hot(np.concatenate([_in_order_of_words(binned), words], axis=1), held)
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    model.fit(learned, ours[~held])
    scores: NDArray[np.float64] = model.decision_function(told)
    return scores


def one_hot(codes: NDArray[np.intp], held: NDArray[np.bool_]) -> tuple[csr_matrix, csr_matrix]:
    """One-hot codes of the rows that are not held and of those that are; what only held rows have is all zero.

    Parameters:
        codes: (n, c) >= 0, one column for each feature.
        held: (n,).

    Returns:
        Float64 with a column for each value of each feature among the rows not held, in ascending order: what
        scikit-learn's OneHotEncoder makes, which spends many times the fit's own time on telling words apart.
    """
    from scipy.sparse import csr_matrix

    places = np.full(codes.shape, -1)
    width = 0
    for column, own in zip(codes.T, places.T, strict=True):
        there = np.zeros(column.max() + 1, np.bool_)
        there[column[~held]] = True
        own[:] = np.where(there, width + np.cumsum(there) - 1, -1)[column]
        width += int(there.sum())

    def sparse(rows: NDArray[np.intp]) -> csr_matrix:
        known = rows >= 0
        ends = np.concatenate([[0], known.sum(axis=1).cumsum()])
        return csr_matrix((np.ones(ends[-1]), rows[known], ends), shape=(len(rows), width))

    return sparse(places[~held]), sparse(places[held])


def _edges(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a number is cut: half way between neighbouring values, at the quantiles of either side."""
    known = [side[np.isfinite(side)] for side in (one, other)]
    shares = np.linspace(0.0, 1.0, _BINS + 1)
    cuts = [np.quantile(side, shares, method="nearest") for side in known if len(side)]
    values = np.unique(np.concatenate(cuts)) if cuts else np.zeros(0)
    return (values[1:] + values[:-1]) / 2.0


def _binned(column: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each value; what has no value (no JPEG) has a bin of its own."""
    return np.where(np.isfinite(column), np.searchsorted(edges, column), -1)


def _in_order_of_words(binned: NDArray[np.int64]) -> NDArray[np.intp]:
    """The bins' ranks as words ("-1", "0", "1", "10", "2"): the order of the features decides a fit's last bits."""
    known = sorted(range(-1, int(binned.max()) + 1), key=str)
    ranks = np.empty(len(known), np.intp)
    ranks[np.array(known) + 1] = np.arange(len(known))
    return ranks[binned + 1]


def _ranks(words: NDArray[np.str_]) -> NDArray[np.intp]:
    """Of each column's words in order, (n, c)."""
    return np.stack([np.unique(column, return_inverse=True)[1] for column in words.T], axis=1)


def _numbers(rows: Sequence[FileRow]) -> NDArray[np.float64]:
    """(n, 6); NaN where a file has no such value."""
    return np.array(
        [
            (
                row.width,
                row.height,
                row.width / row.height,
                row.size / (row.width * row.height),
                np.nan if row.facts.luminance is None else row.facts.luminance,
                np.nan if row.facts.chrominance is None else row.facts.chrominance,
            )
            for row in rows
        ],
        np.float64,
    ).reshape(len(rows), 6)


def _words(rows: Sequence[FileRow]) -> NDArray[np.str_]:
    return np.array(
        [
            (
                row.format,
                row.facts.mode,
                row.facts.tables or "",
                row.facts.subsampling or "",
                str(row.facts.progressive),
                str(row.facts.exif),
                str(row.facts.icc),
            )
            for row in rows
        ],
        np.str_,
    ).reshape(len(rows), 7)
