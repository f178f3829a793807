"""The score above which a picture is called synthetic, at a stated false-positive rate on reals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from daemon.cores import side_by_side
from daemon.errors import BadInputError
from daemon.heads.head import Head
from daemon.heads.pooling import Pooled
from daemon.heads.settings import HeadSettings
from daemon.heads.solved import SolvedHeads
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.model import LabelledVectors, Profile, Subject

MIN_SOURCES = 5  # with fewer real sources, leaving one out says too little about the next one

Method = Literal["left_out_source", "split_conformal"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A picture is synthetic when its logit is greater than `value`."""

    value: float  # logit; +inf: nothing is called synthetic, `note` says why
    alpha: float  # false-positive rate aimed at
    method: Method
    pictures: int  # real pictures behind it
    left_out: Mapping[str, float]  # real source -> share called synthetic by a head that never saw the source
    note: str = ""  # what a person must know about it, or nothing


def left_out_source_thresholds(
    pooled: Pooled,
    statistics: Mapping[GroupKey, GroupStatistics],
    reals: Mapping[Profile, LabelledVectors],
    settings: HeadSettings,
    alpha: float,
    *,
    cap: int = 500,
) -> dict[Profile, Threshold]:
    """Thresholds from real sources scored by heads solved without them, sources weighted equally.

    Parameters:
        pooled: the pool the version's head is solved from.
        statistics: those the pool was made from; only the real sources' are read.
        reals: per profile, real rows to score; synthetic rows are ignored, and so are sources with fewer
            than `settings.min_group` rows under the profile.
        alpha: false-positive rate, in (0, 1).
        cap: most rows scored per source and profile, taken evenly over the canonical order.

    Returns:
        A threshold for each profile with at least MIN_SOURCES sources; the others are absent.

    Source: method section 4, "LEFT-OUT-SOURCE THRESHOLD".
    """
    heads = SolvedHeads(pooled, (), settings)
    placing = rows_to_place_by(reals, min_rows=settings.min_group, cap=cap)
    return thresholds_without(placing, lambda source: heads.without(source, statistics), alpha)


@dataclass(frozen=True, slots=True, eq=False)
class PlacingRows:
    """The real rows that place thresholds, by profile and source."""

    reals: Mapping[Profile, LabelledVectors]
    rows: Mapping[Profile, Mapping[Subject, NDArray[np.intp]]]  # numbers of the rows of `reals`
    sources: tuple[Subject, ...]  # those that are left out, in order


def rows_to_place_by(
    reals: Mapping[Profile, LabelledVectors],
    *,
    min_rows: int,
    cap: int = 500,
    most_sources: int | None = None,
) -> PlacingRows:
    """Which rows of which real sources place the thresholds.

    Parameters:
        reals: per profile, real rows to score; synthetic rows are ignored, and so are sources with fewer
            than `min_rows` rows under the profile, and profiles with fewer than MIN_SOURCES sources.
        cap: most rows scored per source and profile, taken evenly over the canonical order.
        most_sources: with more sources than this only those with the most rows are left out and count; None: all.
    """
    rows = {
        profile: {
            source: evenly(indices, cap)
            for source, indices in _rows_by_source(vectors).items()
            if len(indices) >= min_rows
        }
        for profile, vectors in reals.items()
    }
    rows = {profile: by_source for profile, by_source in rows.items() if len(by_source) >= MIN_SOURCES}
    sizes: dict[Subject, int] = {}
    for by_source in rows.values():
        for source, indices in by_source.items():
            sizes[source] = sizes.get(source, 0) + len(indices)
    chosen = sorted(sorted(sizes, key=lambda source: (-sizes[source], source))[:most_sources])
    return PlacingRows(reals, rows, tuple(chosen))


def thresholds_without(
    placing: PlacingRows, head_without: Callable[[Subject], Head], alpha: float
) -> dict[Profile, Threshold]:
    """Thresholds from real sources, each scored by the head that `head_without` gives for it.

    Parameters:
        placing: the rows to score.
        head_without: gives a head that has not learned the source; asked once for each, by several threads at once.
        alpha: false-positive rate, in (0, 1).

    Returns:
        A threshold for each profile with at least MIN_SOURCES sources; the others are absent.
    """
    _check_alpha(alpha)

    def scored(source: Subject) -> dict[Profile, NDArray[np.float64]]:
        head = head_without(source)
        return {
            profile: head.scores(placing.reals[profile].vectors[by_source[source]])
            for profile, by_source in placing.rows.items()
            if source in by_source
        }

    scores: dict[Profile, dict[str, NDArray[np.float64]]] = {profile: {} for profile in placing.rows}
    for source, own in zip(placing.sources, side_by_side(scored, placing.sources), strict=True):
        for profile, values in own.items():
            scores[profile][source.name] = values
    return {
        profile: _left_out_threshold(by_source, alpha)
        for profile, by_source in scores.items()
        if len(by_source) >= MIN_SOURCES
    }


def conformal_threshold(scores: NDArray[np.float64], sources: Sequence[Subject], alpha: float) -> Threshold:
    """Split-conformal threshold from held-out scores of calibration reals, sources weighted equally.

    With equally many pictures per source this is the ceil((m + 1)(1 - alpha))-th smallest score.

    Parameters:
        scores: float64 (m,), held-out logits of real pictures.
        sources: (m,) the real source of each.
        alpha: false-positive rate, in (0, 1).

    Returns:
        A threshold of +inf, with a note, when m < 1 / alpha - 1.

    Source: method section 5.
    """
    _check_alpha(alpha)
    m = len(scores)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(_source_weights(sources)[order]) * m >= (m + 1) * (1.0 - alpha) - 1e-9
    if not reached.any():
        note = f"{m} calibration reals are too few for a rate of {alpha}: nothing is called synthetic"
        return Threshold(float("inf"), alpha, "split_conformal", m, {}, note)
    return Threshold(float(scores[order][int(reached.argmax())]), alpha, "split_conformal", m, {})


def _left_out_threshold(scores: Mapping[str, NDArray[np.float64]], alpha: float) -> Threshold:
    every = np.concatenate(list(scores.values()))
    weights = np.concatenate([np.full(len(part), 1.0 / len(scores) / len(part)) for part in scores.values()])
    order = np.argsort(every, kind="stable")
    # the smallest score above which at most alpha of the weight lies; 1e-9 forgives the rounding of the sum
    reached = np.cumsum(weights[order]) >= 1.0 - alpha - 1e-9
    value = float(every[order][int(reached.argmax())])
    rates = {source: float((part > value).mean()) for source, part in scores.items()}
    return Threshold(value, alpha, "left_out_source", len(every), rates)


def _source_weights(sources: Sequence[Subject]) -> NDArray[np.float64]:
    sizes: dict[Subject, int] = {}
    for source in sources:
        sizes[source] = sizes.get(source, 0) + 1
    return np.array([1.0 / len(sizes) / sizes[source] for source in sources])


def _rows_by_source(vectors: LabelledVectors) -> dict[Subject, NDArray[np.intp]]:
    rows: dict[Subject, list[int]] = {}
    for row, (subject, synthetic) in enumerate(zip(vectors.subjects, vectors.synthetic, strict=True)):
        if not synthetic:
            rows.setdefault(subject, []).append(row)
    return {source: np.array(indices, np.intp) for source, indices in sorted(rows.items())}


def evenly(rows: NDArray[np.intp], cap: int) -> NDArray[np.intp]:
    """At most `cap` of the row numbers, taken evenly over their order."""
    return rows if len(rows) <= cap else rows[np.arange(cap) * len(rows) // cap]


def _check_alpha(alpha: float) -> None:
    if not 0.0 < alpha < 1.0:
        raise BadInputError(f"a false-positive rate of {alpha} is not between 0 and 1")
