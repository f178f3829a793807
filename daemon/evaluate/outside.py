"""Outside detectors: their delivered scores, measured on the same families and with the same figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from daemon.context import Context
from daemon.errors import BadInputError
from daemon.evaluate.family import evaluate_families
from daemon.evaluate.measuring import family_row
from daemon.model import EvaluationRow, ScoredRow, Subject

OUTSIDE = "outside:"  # version ids of outside detectors begin so


def measure_outside(context: Context, detector: str) -> list[EvaluationRow]:
    """AP and AUROC of every family under an outside detector's scores; it has no threshold, so no recall.

    detector: `outside:NAME`. Raises BadInputError when it scored no real or no synthetic picture.
    """
    rows = context.samples.scored_rows(detector, "raw")
    reals = [row for row in rows if row.subject.kind == "source"]
    families: dict[Subject, list[ScoredRow]] = {}
    for row in rows:
        if row.subject.kind == "family":
            families.setdefault(row.subject, []).append(row)
    if not reals or not families:
        raise BadInputError(f"{detector} has no scores of both real and synthetic pictures in this store")
    found = evaluate_families(
        np.array([row.logit for row in reals]),
        [row.group for row in reals],
        {
            subject.name: (np.array([row.logit for row in own]), [row.group for row in own])
            for subject, own in families.items()
        },
        float("inf"),
        context.settings.evaluate.prevalence,
    )
    floor = context.settings.evaluate.min_samples
    at = context.clock.now()
    return [
        replace(
            family_row(detector, subject, "raw", found[subject.name], floor, at),
            recall=None,
            recall_lower=None,
            recall_upper=None,
        )
        for subject in sorted(families)
    ]
