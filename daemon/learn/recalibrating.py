"""Recalibrate: the champion's head with its thresholds and its calibration placed anew; it learns no picture."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np

from daemon import __version__
from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.drift.spending import trusted_sources
from daemon.drift.standing import find
from daemon.errors import BadInputError
from daemon.heads import write
from daemon.heads.learner import assemble, threshold_rows
from daemon.heads.threshold import Threshold, conformal_threshold
from daemon.learn.learning import Challenge, evidence
from daemon.learn.settling import settle
from daemon.model import Alarm, LabelledVectors, Profile, Subject, VersionRecord

LEARNER = "recalibrate"
GROWTH = 2  # an attempt that failed is repeated when the alarm has so many times the votes


def recalibrate(context: Context) -> Challenge | None:
    """The `recalibrate` command; None: nothing has moved, or the gate has judged this very version.

    Raises BadInputError when there is no champion or there are too few fresh photographs.
    """
    settle(context)
    champion = context.champion.get()
    if champion is None:
        raise BadInputError("there is no champion yet, so there is nothing to recalibrate")
    alarm = find(context.samples.alarms(), "real_pool_shift")
    return recalibrated(context, champion, votes=_votes(alarm) if alarm is not None else 0)


def answer_to_shift(context: Context, champion: LoadedVersion) -> Challenge | None:
    """A recalibrated challenger when the real pool has shifted and none was judged on about as many votes."""
    alarm = find(context.samples.alarms(), "real_pool_shift")
    if alarm is None or not is_due(alarm, champion.record.id, context.registry.versions()):
        return None
    # Without an answer nothing is stored that says so, and an idle cycle would read every vector again for the same.
    seen = (champion.record.id, alarm.state.get("last_score_id"), _votes(alarm), context.samples.label_revision())
    if context.answered.knows("real_pool_shift", seen):
        return None
    try:
        found = recalibrated(context, champion, votes=_votes(alarm))
    except BadInputError:  # too few fresh photographs of a split that may place thresholds: the next ones may do
        found = None
    if found is None:
        context.answered.keep("real_pool_shift", seen)
    return found


def is_due(alarm: Alarm, champion: str, versions: Collection[VersionRecord]) -> bool:
    """Whether the shift stands against this champion and was not answered on about as many votes."""
    if alarm.raised_at is None or alarm.version != champion:
        return False
    before = [
        v.verdict
        for v in versions
        if v.parent == champion and v.learner == LEARNER and v.verdict is not None and v.state != "challenger"
    ]
    if any(v.parent == champion and v.learner == LEARNER and v.state in ("waiting", "shadow") for v in versions):
        return False
    answered = [int(str(verdict.get("votes", 0))) for verdict in before]
    return not answered or _votes(alarm) >= GROWTH * max(answered)


def recalibrated(context: Context, champion: LoadedVersion, *, votes: int) -> Challenge | None:
    """The champion with thresholds and calibration by the photographs there are now.

    votes: of the alarm that asks. Raises BadInputError when there are too few fresh photographs.
    """
    about = champion.artifact.about
    fingerprint, revision = champion.record.fingerprint, champion.record.statistics_revision
    rows = evidence(context, fingerprint)
    moved = placed_anew(champion, rows, champion.record.created_at, trusted_sources(context.samples))
    if all(moved[profile].value == champion.threshold(profile) for profile in moved):
        return None
    artifact = assemble(
        champion.artifact.head,
        champion.artifact.fold_heads,
        moved,
        tuple(moved),
        rows,
        revision,
        next(iter(moved.values())).alpha,
        champion.artifact.anchors,
        {**about, "parent": champion.record.id, "learner": LEARNER, "code_version": __version__},
    )
    tensors, manifest = write(artifact)
    record = context.registry.add_version(
        parent=champion.record.id,
        fingerprint=fingerprint,
        learner=LEARNER,
        statistics_revision=revision,
        manifest=manifest,
        tensors=tensors,
        at=context.clock.now(),
    )
    if record.verdict is not None:
        return None
    return Challenge(load_version(context.registry, record), champion, (), {}, {"votes": votes})


def placed_anew(
    champion: LoadedVersion,
    evidence: Mapping[Profile, LabelledVectors],
    made_at: datetime,
    trusted: Collection[Subject],
) -> dict[Profile, Threshold]:
    """The champion's thresholds, moved by as much as the held-out scores of trusted photographs have moved.

    evidence: per profile, rows that may place thresholds. made_at: what was delivered until then placed the champion's.
    The move is the difference between the (1 - alpha) quantiles of the fresh photographs and of those before, sources
    weighing the same: what the left-out sources of the champion's own threshold say of unseen ones stays.
    Raises BadInputError when either side has too few for a quantile.
    """
    found: dict[Profile, Threshold] = {}
    for profile, rows in threshold_rows(evidence).items():
        before = champion.artifact.thresholds[profile]
        of_trusted = rows.take([i for i, subject in enumerate(rows.subjects) if subject in trusted])
        fresh = np.array([at > made_at for at in of_trusted.delivered_at], np.bool_)
        sides = [of_trusted.take(np.flatnonzero(side)) for side in (fresh, ~fresh)]
        quantiles = [
            conformal_threshold(champion.held_out(side), side.subjects, before.alpha).value if len(side) else math.inf
            for side in sides
        ]
        if not all(map(math.isfinite, (*quantiles, before.value))):
            raise BadInputError(
                f"too few photographs of trusted sources to place thresholds by: {len(sides[0])} since the champion "
                f"was made and {len(sides[1])} before; each side needs {math.ceil(1 / before.alpha)}"
            )
        note = f"moved by {quantiles[0] - quantiles[1]:+.4f} with {len(sides[0])} photographs since {made_at:%Y-%m-%d}"
        value = before.value + quantiles[0] - quantiles[1]
        found[profile] = replace(before, value=value, pictures=len(sides[0]), left_out={}, note=note)
    return found


def _votes(alarm: Alarm) -> int:
    return int(str(alarm.state.get("votes", 0)))
