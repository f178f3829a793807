"""How well one version sees one family, and how often it accuses one real source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daemon.evaluate.average_precision import check_prevalence, checked_scores
from daemon.evaluate.confidence_sequence import mean_interval
from daemon.evaluate.intervals import average_precision_interval, clopper_pearson
from daemon.evaluate.jackknife import FakeSide, RealPool, jackknife

APPROXIMATE_BELOW = 100  # fakes; the intervals' coverage is measured from here on
APPROXIMATE_BELOW_GROUPS = 25  # nor is it known when few groups stand behind many fakes


@dataclass(frozen=True, slots=True)
class FamilyEvaluation:
    """One family under one version and profile, with 95 % intervals."""

    ap: float  # average precision at `prevalence`
    ap_lower: float  # Student, on the logit scale, by the jackknife over groups
    ap_upper: float
    approximate: bool  # the AP interval is only approximate: fewer than 100 fakes, or than 25 groups
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
    lower: float  # Clopper-Pearson over groups
    upper: float
    n: int  # reals
    groups: int  # distinct groups among them


def evaluate_family(
    real_scores: ArrayLike,
    real_groups: Sequence[str],
    synthetic_scores: ArrayLike,
    synthetic_groups: Sequence[str],
    threshold: float,
    prevalence: float = 0.5,
) -> FamilyEvaluation:
    """Measure one family against the real pool; see `evaluate_families` for many at once.

    real_scores: (m,) logits, real_groups: (m,) keys; synthetic_scores: (n,), synthetic_groups: (n,).
    threshold: logit above which a sample is called synthetic, may be +inf.
    Raises ValueError on an empty side, a NaN, a wrong length or a prevalence outside (0, 1).
    """
    fakes = {"": (synthetic_scores, synthetic_groups)}
    return evaluate_families(real_scores, real_groups, fakes, threshold, prevalence)[""]


def evaluate_families(
    real_scores: ArrayLike,
    real_groups: Sequence[str],
    families: Mapping[str, tuple[ArrayLike, Sequence[str]]],
    threshold: float,
    prevalence: float = 0.5,
) -> dict[str, FamilyEvaluation]:
    """Measure every family against the same real pool, which is sorted once.

    families: name -> (scores (n,), groups (n,)); the rest as in `evaluate_family`.
    AP intervals stand on the jackknife over groups at every n: percentiles of a bootstrap cover too little below
    300 fakes (docs/explanation-intervals.md). Source: method section 2.
    """
    check_prevalence(prevalence)
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN")
    pool = RealPool.of(np.asarray(real_scores, dtype=np.float64), real_groups)
    return {
        name: _evaluation(
            pool,
            FakeSide.of(pool, np.asarray(scores), groups, f"synthetic ({name})" if name else "synthetic"),
            threshold,
            prevalence,
        )
        for name, (scores, groups) in families.items()
    }


def _evaluation(pool: RealPool, fakes: FakeSide, threshold: float, prevalence: float) -> FamilyEvaluation:
    n, m = fakes.scores.size, pool.scores.size
    found = jackknife(pool, fakes, prevalence)
    ap_lower, ap_upper = average_precision_interval(
        found.ap, found.standard_error, found.degrees_of_freedom, min(fakes.groups, len(pool.numbers)), prevalence
    )
    placements = (fakes.below + fakes.not_above) / (2.0 * m)
    auroc_lower, auroc_upper = mean_interval(fakes.group_means(placements))
    area = float(placements.mean())
    recall = float(np.mean(fakes.scores > threshold))
    recall_lower, recall_upper = clopper_pearson(recall * fakes.groups, fakes.groups)
    return FamilyEvaluation(
        ap=found.ap,
        ap_lower=ap_lower,
        ap_upper=ap_upper,
        approximate=n < APPROXIMATE_BELOW or fakes.groups < APPROXIMATE_BELOW_GROUPS,
        auroc=area,
        # The sequence is for the mean of the groups, which weighs a group of many fakes like one of few.
        auroc_lower=min(area, auroc_lower),
        auroc_upper=max(area, auroc_upper),
        recall=recall,
        recall_lower=recall_lower,
        recall_upper=recall_upper,
        n=n,
        groups=fakes.groups,
        m_reals=m,
        prevalence=prevalence,
    )


def evaluate_source(scores: ArrayLike, threshold: float, groups: Sequence[str] | None = None) -> SourceEvaluation:
    """False-positive rate of one real source at the threshold.

    scores: (n,) logits of its reals. threshold: logit, may be +inf. groups: (n,) keys; None: each its own.
    Raises ValueError when there are no scores, one is NaN, or scores and groups differ in length.
    """
    values: NDArray[np.float64] = checked_scores(scores, "real")
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN")
    if groups is not None and len(groups) != values.size:
        raise ValueError(f"{values.size} real scores came with {len(groups)} groups")
    trials = values.size if groups is None else len(set(groups))
    rate = int(np.count_nonzero(values > threshold)) / values.size
    lower, upper = clopper_pearson(rate * trials, trials)
    return SourceEvaluation(rate, lower, upper, values.size, trials)


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
