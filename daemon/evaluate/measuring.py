"""Evaluate: the champion's figures on every family and every real source, on pictures it has not learned."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.evaluate.family import FamilyEvaluation, evaluate_families, evaluate_source
from daemon.model import PROFILES, EvaluationRow, LabelledVectors, Profile, Subject
from daemon.settings import EvaluateSettings

Rows = dict[Subject, NDArray[np.intp]]


def evaluate(context: Context) -> bool:
    """Measure anew when the champion or the samples changed; returns whether it did."""
    champion = context.champion.get()
    if champion is None:
        return False
    labelled = _labelled(context, champion)
    if _is_fresh(context.samples.latest_evaluations(champion.record.id), labelled):
        return False
    context.samples.save_evaluations(_measure(context, champion, labelled))
    return True


def differing_figures(context: Context) -> list[str]:
    """Names of the champion's saved figures that the store's vectors do not give again; [] while some are due.

    A service may work beside: what changed while this looked is no fault.
    """
    champion = context.champion.get()
    if champion is None:
        return []
    saved = context.samples.latest_evaluations(champion.record.id)
    labelled = _labelled(context, champion)
    if not _is_fresh(saved, labelled):
        return []
    before = {(row.subject, row.profile, row.window): row for row in saved}
    again = _measure(context, champion, labelled)
    if context.samples.latest_evaluations(champion.record.id) != saved:
        return []
    return [
        f"{row.subject.name} ({row.profile}, {row.window})"
        for row in again
        if before.get((row.subject, row.profile, row.window)) is None
        or replace(before[row.subject, row.profile, row.window], at=row.at) != row
    ]


def measure(context: Context, version: LoadedVersion) -> list[EvaluationRow]:
    """Held-out figures of any version under every profile, not saved."""
    return _measure(context, version, _labelled(context, version))


def _measure(context: Context, version: LoadedVersion, labelled: dict[Profile, LabelledVectors]) -> list[EvaluationRow]:
    at = context.clock.now()
    return [
        row
        for profile, rows in labelled.items()
        for row in evaluation_rows(version, profile, rows, context.settings.evaluate, at)
    ]


def _labelled(context: Context, version: LoadedVersion) -> dict[Profile, LabelledVectors]:
    return {profile: newest_vectors(context, version.record.fingerprint, profile) for profile in PROFILES}


def newest_vectors(context: Context, fingerprint: str, profile: Profile) -> LabelledVectors:
    """The rows that figures are made from: the newest of every subject, as configured."""
    newest = context.settings.evaluate.last_per_subject
    return context.samples.labelled_vectors(fingerprint, profile, last_per_subject=newest)


def _is_fresh(measured: list[EvaluationRow], labelled: dict[Profile, LabelledVectors]) -> bool:
    """Whether the saved figures were made from just these rows; asked of the store, so that a kill loses nothing."""
    for profile, rows in labelled.items():
        held_out = [row for row in measured if row.profile == profile and row.window == "held_out"]
        if not held_out or not len(rows):
            return False
        at = max(row.at for row in held_out)
        # A subject that is gone, its samples quarantined or relabelled, keeps its old row for ever.
        counted = {row.subject: row.n for row in held_out if row.at == at}
        if counted != Counter(rows.subjects) or max(rows.delivered_at) > at:
            return False
    return True


def evaluation_rows(
    version: LoadedVersion, profile: Profile, labelled: LabelledVectors, settings: EvaluateSettings, at: datetime
) -> list[EvaluationRow]:
    """One row per family and real source, window `held_out`, and one per source left out, window `left_out`."""
    scores = version.held_out(labelled)
    families, sources = by_subject(labelled)
    return [
        *_family_rows(version, profile, labelled, scores, families, settings, at),
        *_source_rows(version, profile, scores, sources, at),
    ]


def by_subject(labelled: LabelledVectors) -> tuple[Rows, Rows]:
    """Row numbers of each family and of each real source."""
    families: dict[Subject, list[int]] = {}
    sources: dict[Subject, list[int]] = {}
    for row, subject in enumerate(labelled.subjects):
        (families if subject.kind == "family" else sources).setdefault(subject, []).append(row)
    return _as_arrays(families), _as_arrays(sources)


def _as_arrays(rows: dict[Subject, list[int]]) -> Rows:
    return {subject: np.array(numbers, dtype=np.intp) for subject, numbers in rows.items()}


def _family_rows(
    version: LoadedVersion,
    profile: Profile,
    labelled: LabelledVectors,
    scores: NDArray[np.float64],
    families: Rows,
    settings: EvaluateSettings,
    at: datetime,
) -> list[EvaluationRow]:
    real = np.flatnonzero(~labelled.synthetic)
    if not real.size or not families:
        return []
    figures = evaluate_families(
        scores[real],
        [labelled.groups[row] for row in real],
        {s.name: (scores[rows], [labelled.groups[row] for row in rows]) for s, rows in families.items()},
        version.threshold(profile),
        settings.prevalence,
    )
    return [
        family_row(version.record.id, subject, profile, figures[subject.name], settings.min_samples, at)
        for subject in families
    ]


def family_row(
    version: str, subject: Subject, profile: Profile, found: FamilyEvaluation, min_samples: int, at: datetime
) -> EvaluationRow:
    """A measured family as the store keeps it; below the sample floor it has n and no figures."""
    if found.n < min_samples:
        return EvaluationRow(version, subject, profile, "held_out", at, found.n, found.groups)
    return EvaluationRow(
        version,
        subject,
        profile,
        "held_out",
        at,
        found.n,
        found.groups,
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
    version: LoadedVersion, profile: Profile, scores: NDArray[np.float64], sources: Rows, at: datetime
) -> list[EvaluationRow]:
    threshold = version.artifact.thresholds[profile]
    rows = []
    for subject, numbers in sources.items():
        found = evaluate_source(scores[numbers], threshold.value)
        rows.append(
            EvaluationRow(
                version.record.id,
                subject,
                profile,
                "held_out",
                at,
                found.n,
                found.n,
                false_positive_rate=found.false_positive_rate,
                false_positive_lower=found.lower,
                false_positive_upper=found.upper,
            )
        )
        if subject.name in threshold.left_out:
            left_out = threshold.left_out[subject.name]
            rows.append(
                EvaluationRow(
                    version.record.id, subject, profile, "left_out", at, found.n, found.n, false_positive_rate=left_out
                )
            )
    return rows
