"""What figures are made from: the newest labelled pictures, and those that a version scored as champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from daemon.context import Context
from daemon.evaluate.windows import Window, windows
from daemon.figures import HELD_OUT, PREQUENTIAL
from daemon.model import PROFILES, LabelledSamples, LabelledVectors, Profile, Subject, VersionRecord
from daemon.settings import EvaluateSettings

Rows = dict[Subject, NDArray[np.intp]]
Counts = dict[tuple[Subject, Profile, str], int]  # (subject, profile, window) -> pictures


@dataclass(frozen=True, slots=True)
class Material:
    """What one version is measured from, under one profile."""

    profile: Profile
    labelled: LabelledVectors
    pool: NDArray[np.intp]  # rows of the real pool that every family is measured against
    held_out: Rows  # every labelled picture, but of families none that people reported
    prequential: Rows  # those that the version scored first
    prequential_logits: NDArray[np.float64]  # (n,) beside `labelled`; NaN where it did not


def material_of(
    context: Context, version: VersionRecord, labelled_by: Mapping[Profile, LabelledVectors] | None = None
) -> list[Material]:
    """What the version is measured from, one for each profile.

    labelled_by: `newest_of` the version's encoder, when it was read before.
    """
    found = []
    reported = context.samples.reported()
    for profile, labelled in (labelled_by or newest_of(context, version.fingerprint)).items():
        row_of = {sample: row for row, sample in enumerate(labelled.sample_ids.tolist())}
        logits = np.full(len(labelled), np.nan)
        for scored in context.samples.scored_rows(version.id, profile):
            if not scored.learned and scored.sample_id in row_of:
                logits[row_of[scored.sample_id]] = scored.logit
        # What was picked by a detector's error is measured as a real source of its own, and as nothing else.
        picked = np.array([sample in reported for sample in labelled.sample_ids.tolist()], np.bool_)
        counts = ~(picked & labelled.synthetic)
        pool = np.flatnonzero(~labelled.synthetic & ~picked)
        first = np.flatnonzero(~np.isnan(logits) & counts)
        held_out = _rows(labelled, np.flatnonzero(counts))
        found.append(Material(profile, labelled, pool, held_out, _rows(labelled, first), logits))
    return found


def _rows(labelled: LabelledVectors, chosen: NDArray[np.intp] | None = None) -> Rows:
    """Row numbers of each subject, in the canonical order of the rows: oldest first."""
    found: dict[Subject, list[int]] = {}
    for row in range(len(labelled)) if chosen is None else chosen.tolist():
        found.setdefault(labelled.subjects[row], []).append(row)
    return {subject: np.array(numbers, dtype=np.intp) for subject, numbers in found.items()}


def newest_of(context: Context, fingerprint: str) -> dict[Profile, LabelledVectors]:
    """The rows that figures are made from, with the vectors of every profile."""
    rows = newest_samples(context, fingerprint)
    return {profile: context.samples.with_vectors(fingerprint, profile, rows) for profile in PROFILES}


def newest_samples(context: Context, fingerprint: str) -> LabelledSamples:
    """The rows that figures are made from: the newest of every subject that is not retired, as configured."""
    return _present(context, fingerprint, context.settings.evaluate.last_per_subject)


def _present(context: Context, fingerprint: str, newest: int | None) -> LabelledSamples:
    rows = context.samples.labelled_samples(fingerprint, last_per_subject=newest)
    retired = {subject for subject, flags in context.samples.family_flags().items() if flags.retired}
    return rows.take([i for i, s in enumerate(rows.subjects) if s not in retired]) if retired else rows


def comparable_samples(context: Context, fingerprint: str) -> LabelledSamples:
    """Those of them on which two versions may be compared: no version was chosen by its errors on them."""
    return newest_samples(context, fingerprint).without(context.samples.reported())


def every_comparable_sample(context: Context, fingerprint: str) -> LabelledSamples:
    """The same of all pictures, not of the newest alone."""
    return _present(context, fingerprint, None).without(context.samples.reported())


def comparable_vectors(context: Context, fingerprint: str, profile: Profile) -> LabelledVectors:
    """`comparable_samples` with their vectors under a profile."""
    return context.samples.with_vectors(fingerprint, profile, comparable_samples(context, fingerprint))


def by_subject(labelled: LabelledVectors) -> tuple[Rows, Rows]:
    """Row numbers of each family and of each real source."""
    rows = _rows(labelled)
    families = {subject: numbers for subject, numbers in rows.items() if subject.kind == "family"}
    return families, {subject: numbers for subject, numbers in rows.items() if subject.kind == "source"}


def windows_of(settings: EvaluateSettings, basis: str) -> tuple[Window, ...]:
    """The configured windows over one basis."""
    return windows(basis, settings.windows.last, settings.windows.within)


def counts(material: Material, settings: EvaluateSettings, now: datetime) -> Counts:
    """How many pictures each window holds of each subject; what cannot be measured is left out."""
    found = {}
    without_reals = not material.pool.size
    for basis, rows in ((HELD_OUT, material.held_out), (PREQUENTIAL, material.prequential)):
        for window in windows_of(settings, basis):
            for subject, numbers in rows.items():
                count = window.count(material.labelled.delivered_at, numbers, now)
                if count and not without_reals:
                    found[subject, material.profile, window.name] = count
    return found
