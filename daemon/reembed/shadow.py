"""Shadow comparison: champion and challenger on the same samples, each by its own encoder's vectors."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.evaluate.measuring import comparable_vectors
from daemon.evaluate.rows import held_out_rows
from daemon.figures import SHADOW
from daemon.model import PROFILES, EvaluationRow, LabelledVectors, Profile
from daemon.promote.gate import gate_migration
from daemon.promote.judging import alarmed, compare, gate_rows, gate_settings, large_subjects
from daemon.promote.verdict import Verdict

WINDOW = SHADOW
Pair = tuple[LabelledVectors, LabelledVectors]  # the same samples by the champion's encoder and by the challenger's


def same_samples(context: Context, champion: LoadedVersion, challenger: LoadedVersion) -> dict[Profile, Pair]:
    """Rows of the samples that have both encoders' vectors and the same label in both, in canonical order."""
    return {profile: _pair(context, champion, challenger, profile) for profile in PROFILES}


def _pair(context: Context, champion: LoadedVersion, challenger: LoadedVersion, profile: Profile) -> Pair:
    before = comparable_vectors(context, champion.record.fingerprint, profile)
    after = comparable_vectors(context, challenger.record.fingerprint, profile)
    rows = {sample: row for row, sample in enumerate(after.sample_ids.tolist())}
    # A label may have come between the two looks.
    kept = [
        (row, rows[sample])
        for row, sample in enumerate(before.sample_ids.tolist())
        if sample in rows and after.subjects[rows[sample]] == before.subjects[row]
    ]
    return before.take([row for row, _ in kept]), after.take([row for _, row in kept])


def shadow_figures(
    context: Context, champion: LoadedVersion, challenger: LoadedVersion, pairs: dict[Profile, Pair], at: datetime
) -> list[EvaluationRow]:
    """Held-out figures of both versions on the same samples, per family, real source and profile."""
    return [
        replace(row, window=WINDOW)
        for profile, pair in pairs.items()
        for version, rows in zip((champion, challenger), pair, strict=True)
        for row in held_out_rows(version, profile, rows, context.settings.evaluate, at)
    ]


def judge_migration(
    context: Context, champion: LoadedVersion, challenger: LoadedVersion, pairs: dict[Profile, Pair]
) -> Verdict:
    """What the gate says of the move, with every number behind it."""
    large = large_subjects(context)
    comparisons = []
    for profile, (before, after) in pairs.items():
        kept, beside = gate_rows(before, large), gate_rows(after, large)
        if not np.array_equal(kept.sample_ids, beside.sample_ids):
            raise AssertionError("the two sides of a comparison are the same samples")
        if not kept.synthetic.any() or kept.synthetic.all():
            return Verdict("hold", f"no reals and fakes with {profile} vectors of both encoders to compare", ())
        comparisons.append(compare(champion, challenger, profile, kept, beside))
    return gate_migration(comparisons, alarmed(context), gate_settings(context.settings))
