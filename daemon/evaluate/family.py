"""How well one version sees one family, and how often it accuses one real source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daemon.drift.betting import mean_interval
from daemon.drift.placement import placement_values
from daemon.drift.votes import group_votes
from daemon.evaluate.average_precision import average_precision, check_prevalence, checked_scores
from daemon.evaluate.intervals import (
    Side,
    clopper_pearson,
    jackknife_interval,
    jackknife_standard_error,
    percentile_interval,
    replicate_average_precision,
)

APPROXIMATE_BELOW = 100  # fakes; percentile intervals of 95 % cover .81 at 10, .94 at 30, .95 at 100
JACKKNIFE_FROM = 300  # fakes; from here the jackknife agrees with the bootstrap and costs nothing


@dataclass(frozen=True, slots=True)
class FamilyEvaluation:
    """One family under one version and profile, with 95 % intervals."""

    ap: float  # average precision at `prevalence`
    ap_lower: float
    ap_upper: float
    approximate: bool  # the AP interval is only approximate: fewer than 100 fakes
    auroc: float
    auroc_lower: float  # betting confidence sequence, given the real pool
    auroc_upper: float
    recall: float  # share scored above the threshold
    recall_lower: float  # Clopper-Pearson over groups
    recall_upper: float
    n: int  # fakes
    groups: int  # distinct groups among the fakes
    m_reals: int  # reals measured against
    prevalence: float  # share of fakes that the AP is stated for


@dataclass(frozen=True, slots=True)
class SourceEvaluation:
    """One real source under one version and profile, with a 95 % interval."""

    false_positive_rate: float  # share scored above the threshold
    lower: float  # Clopper-Pearson
    upper: float
    n: int  # reals


def evaluate_family(
    real_scores: ArrayLike,
    real_groups: Sequence[str],
    synthetic_scores: ArrayLike,
    synthetic_groups: Sequence[str],
    threshold: float,
    prevalence: float = 0.5,
    replicates: int = 1000,
    seed: int = 0,
) -> FamilyEvaluation:
    """Measure one family against the real pool; see `evaluate_families` for many at once.

    real_scores: (m,) logits, real_groups: (m,) keys; synthetic_scores: (n,), synthetic_groups: (n,).
    threshold: logit above which a sample is called synthetic, may be +inf.
    Raises ValueError on an empty side, a NaN, a wrong length or a prevalence outside (0, 1).
    """
    fakes = {"": (synthetic_scores, synthetic_groups)}
    return evaluate_families(real_scores, real_groups, fakes, threshold, prevalence, replicates, seed)[""]


def evaluate_families(
    real_scores: ArrayLike,
    real_groups: Sequence[str],
    families: Mapping[str, tuple[ArrayLike, Sequence[str]]],
    threshold: float,
    prevalence: float = 0.5,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, FamilyEvaluation]:
    """Measure every family against the same real pool, whose weights are drawn and sorted once.

    families: name -> (scores (n,), groups (n,)); the rest as in `evaluate_family`.
    AP intervals are percentiles of a group bootstrap under 300 fakes, the jackknife over groups above.
    Source: method section 2.
    """
    check_prevalence(prevalence)
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN")
    reals = _side(real_scores, real_groups, "real")
    sides = {name: _side(*side, f"synthetic ({name})" if name else "synthetic") for name, side in families.items()}
    small = [name for name, side in sides.items() if side[0].size < JACKKNIFE_FROM]
    drawn = (
        replicate_average_precision(reals, [sides[name] for name in small], prevalence, replicates, seed)
        if small
        else ()
    )
    intervals = {name: percentile_interval(row) for name, row in zip(small, drawn, strict=True)}
    return {name: _evaluation(reals, side, threshold, prevalence, intervals.get(name)) for name, side in sides.items()}


def _side(scores: ArrayLike, groups: Sequence[str], side: str) -> Side:
    values = checked_scores(scores, side)
    if len(groups) != values.size:
        raise ValueError(f"{values.size} {side} scores came with {len(groups)} groups")
    return values, groups


def _evaluation(
    reals: Side, fakes: Side, threshold: float, prevalence: float, interval: tuple[float, float] | None
) -> FamilyEvaluation:
    scores, groups = fakes
    ap = average_precision(reals[0], scores, prevalence)
    if interval is None:
        error = jackknife_standard_error(reals, fakes, prevalence)
        interval = jackknife_interval(ap, error, prevalence)
    placements = placement_values(reals[0], scores)
    votes, names = group_votes(placements, groups)
    auroc_lower, auroc_upper = mean_interval(votes)
    area = float(placements.mean())
    recall = float(np.mean(scores > threshold))
    recall_lower, recall_upper = clopper_pearson(recall * len(names), len(names))
    return FamilyEvaluation(
        ap=ap,
        # The estimate may fall outside a percentile interval of few samples; people may not read that.
        ap_lower=min(ap, interval[0]),
        ap_upper=max(ap, interval[1]),
        approximate=scores.size < APPROXIMATE_BELOW,
        auroc=area,
        auroc_lower=min(area, auroc_lower),
        auroc_upper=max(area, auroc_upper),
        recall=recall,
        recall_lower=recall_lower,
        recall_upper=recall_upper,
        n=scores.size,
        groups=len(names),
        m_reals=reals[0].size,
        prevalence=prevalence,
    )


def evaluate_source(scores: ArrayLike, threshold: float) -> SourceEvaluation:
    """False-positive rate of one real source at the threshold.

    scores: (n,) logits of its reals. threshold: logit, may be +inf.
    Raises ValueError when there are no scores or one is NaN.
    """
    values: NDArray[np.float64] = checked_scores(scores, "real")
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN")
    flagged = int(np.count_nonzero(values > threshold))
    lower, upper = clopper_pearson(flagged, values.size)
    return SourceEvaluation(flagged / values.size, lower, upper, values.size)


def mean_average_precision(evaluations: Iterable[FamilyEvaluation], min_n: int = 10) -> float | None:
    """Unweighted mean of the families' AP, those with at least min_n fakes; None when there is none."""
    values = [evaluation.ap for evaluation in evaluations if evaluation.n >= min_n]
    return float(np.mean(values)) if values else None


def worst_family(evaluations: Mapping[str, FamilyEvaluation], min_n: int = 25) -> tuple[str, float] | None:
    """Name and AP of the family with the lowest AP, among those with at least min_n fakes; None: no such."""
    measured = [(evaluation.ap, name) for name, evaluation in evaluations.items() if evaluation.n >= min_n]
    if not measured:
        return None
    ap, name = min(measured)
    return name, ap
