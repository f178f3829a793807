"""Figures of a version on a family or a real source: AP, AUROC, recall, false positives, with intervals.

Pure functions of scores and groups; AP is always stated at a prevalence.
"""

from daemon.evaluate.average_precision import auroc, average_precision, average_precision_floor
from daemon.evaluate.family import (
    FamilyEvaluation,
    SourceEvaluation,
    evaluate_families,
    evaluate_family,
    evaluate_source,
    mean_average_precision,
    worst_family,
)

__all__ = [
    "FamilyEvaluation",
    "SourceEvaluation",
    "auroc",
    "average_precision",
    "average_precision_floor",
    "evaluate_families",
    "evaluate_family",
    "evaluate_source",
    "mean_average_precision",
    "worst_family",
]
