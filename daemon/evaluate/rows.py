"""Measured figures as rows of the store: one per subject, profile and window."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.evaluate.family import FamilyEvaluation, evaluate_families, evaluate_source
from daemon.evaluate.material import Material, Rows, by_subject, counts, windows_of
from daemon.figures import HELD_OUT, LEFT_OUT, PREQUENTIAL
from daemon.model import EvaluationRow, LabelledVectors, Profile, Subject
from daemon.settings import EvaluateSettings


def held_out_rows(
    version: LoadedVersion, profile: Profile, labelled: LabelledVectors, settings: EvaluateSettings, at: datetime
) -> list[EvaluationRow]:
    """The version's held-out figures on just these pictures."""
    families, sources = by_subject(labelled)
    pool = np.flatnonzero(~labelled.synthetic)
    material = Material(profile, labelled, pool, {**families, **sources}, {}, np.full(len(labelled), np.nan))
    return [row for row in evaluation_rows(version, material, settings, at) if row.window == HELD_OUT]


def evaluation_rows(
    version: LoadedVersion, material: Material, settings: EvaluateSettings, at: datetime
) -> list[EvaluationRow]:
    """The version's figures in every window, and one row per real source left out."""
    labelled = material.labelled
    held = counts(material, settings, at)
    held_out = version.held_out(labelled) if len(labelled) else np.zeros(0)
    found = []
    for basis, rows, scores in (
        (HELD_OUT, material.held_out, held_out),
        (PREQUENTIAL, material.prequential, material.prequential_logits),
    ):
        known: dict[tuple[Subject, int], FamilyEvaluation] = {}  # the newest so many are the same in every window
        for window in windows_of(settings, basis):
            newest = {
                subject: numbers[-count:]
                for subject, numbers in rows.items()
                if (count := held.get((subject, material.profile, window.name)))
            }
            found += _family_rows(version, material, window.name, newest, scores, held_out, settings, at, known)
            found += _source_rows(version, material, window.name, newest, scores, at)
    return [*found, *_left_out_rows(version, material, at)]


def _family_rows(
    version: LoadedVersion,
    material: Material,
    window: str,
    rows: Rows,
    scores: NDArray[np.float64],
    held_out: NDArray[np.float64],
    settings: EvaluateSettings,
    at: datetime,
    known: dict[tuple[Subject, int], FamilyEvaluation],
) -> list[EvaluationRow]:
    """Every window is measured against the whole real pool: its photographs do not age as a generator's pictures do."""
    groups = material.labelled.groups
    real = material.pool
    families = {subject: numbers for subject, numbers in rows.items() if subject.kind == "family"}
    if not real.size or not families:
        return []
    unknown = {s: numbers for s, numbers in families.items() if (s, len(numbers)) not in known}
    if unknown:
        figures = evaluate_families(
            held_out[real],
            [groups[row] for row in real],
            {s.name: (scores[numbers], [groups[row] for row in numbers]) for s, numbers in unknown.items()},
            version.threshold(material.profile),
            settings.prevalence,
        )
        known.update({(s, len(numbers)): figures[s.name] for s, numbers in unknown.items()})
    return [
        family_row(version.record.id, s, material.profile, known[s, len(numbers)], settings.min_samples, at, window)
        for s, numbers in families.items()
    ]


def family_row(
    version: str,
    subject: Subject,
    profile: Profile,
    found: FamilyEvaluation,
    min_samples: int,
    at: datetime,
    window: str = HELD_OUT,
) -> EvaluationRow:
    """A measured family as the store keeps it; below the sample floor it has n and no figures."""
    row = EvaluationRow(version, subject, profile, window, at, found.n, found.groups)
    if found.n < min_samples:
        return row
    return replace(
        row,
        ap=found.ap,
        ap_lower=found.ap_lower,
        ap_upper=found.ap_upper,
        approximate=found.approximate,
        auroc=found.auroc,
        auroc_lower=found.auroc_lower,
        auroc_upper=found.auroc_upper,
        recall=found.recall,
        recall_lower=found.recall_lower,
        recall_upper=found.recall_upper,
    )


def _source_rows(
    version: LoadedVersion,
    material: Material,
    window: str,
    rows: Rows,
    scores: NDArray[np.float64],
    at: datetime,
) -> list[EvaluationRow]:
    threshold = version.threshold(material.profile)
    found = []
    for subject, numbers in rows.items():
        if subject.kind == "source":
            rate = evaluate_source(scores[numbers], threshold, [material.labelled.groups[row] for row in numbers])
            row = EvaluationRow(version.record.id, subject, material.profile, window, at, rate.n, rate.groups)
            found.append(
                replace(
                    row,
                    false_positive_rate=rate.false_positive_rate,
                    false_positive_lower=rate.lower,
                    false_positive_upper=rate.upper,
                )
            )
    return found


def _left_out_rows(version: LoadedVersion, material: Material, at: datetime) -> list[EvaluationRow]:
    left_out = version.artifact.thresholds[material.profile].left_out
    found = []
    for subject, numbers in material.held_out.items():
        if subject.kind == "source" and subject.name in left_out:
            groups = len({material.labelled.groups[row] for row in numbers})
            row = EvaluationRow(
                version.record.id, subject, material.profile, LEFT_OUT, at, numbers.size, groups,
                false_positive_rate=left_out[subject.name],
            )  # fmt: skip
            found.append(row)
    return found
