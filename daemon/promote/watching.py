"""The watch after a promotion: is the new champion proved worse than the previous one on live labelled pictures?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.drift.e_process import EProcess
from daemon.drift.standing import find
from daemon.drift.votes import group_votes
from daemon.errors import CorruptArtifact
from daemon.evaluate.material import every_comparable_sample
from daemon.model import Alarm, AuditRow, LabelledSamples, LabelledVectors, Subject
from daemon.suspect import suspect_samples

log = structlog.get_logger("sidwatch.watch")

MOST: Final = 0.5  # of the pictures of families that fell together; what caught more of them says they are as ever


@dataclass(frozen=True, slots=True)
class Watched:
    """What the live pictures since the promotion say of the champion against the version before it."""

    fakes: int  # groups that voted
    reals: int
    log10_evidence: float  # that the champion is worse
    log10_alarm: float

    @property
    def worse(self) -> bool:
        """Whether it is proved worse."""
        return self.log10_evidence >= self.log10_alarm


def compare_live(
    correct_champion: NDArray[np.bool_],
    correct_previous: NDArray[np.bool_],
    synthetic: NDArray[np.bool_],
    groups: Sequence[str],
    margin: float,
    alpha: float,
) -> Watched:
    """Evidence that the champion's share of right verdicts is lower by more than the margin, on fakes or on reals.

    Two betting e-processes, one for each label, averaged: it reaches 1 / alpha with probability at most alpha, however
    often it is looked at, for a champion that is worse by at most the margin on both. A group is one vote.

    correct_champion, correct_previous, synthetic: bool (n,), in canonical order. groups: (n,). margin: in [0, 1).
    Source: method section 5, with the test of section 3 on (1 + correct - correct of the previous) / 2.
    """
    values = (1.0 + correct_champion.astype(np.float64) - correct_previous) / 2.0
    log_e, votes = [], []
    for side in (synthetic, ~synthetic):
        own, _ = group_votes(values[side], [groups[i] for i in np.flatnonzero(side).tolist()])
        log_e.append(EProcess.start((1.0 - margin) / 2.0).update(own).log_e)
        votes.append(own.size)
    evidence = float(np.logaddexp(log_e[0], log_e[1])) - math.log(2.0)
    return Watched(votes[0], votes[1], evidence / math.log(10.0), -math.log10(alpha))


def watched(context: Context) -> Watched | None:
    """The comparison so far; None: nothing is watched.

    Only what the gate promoted is watched: a person's choice is not undone. Derived from the store each time, so that
    no kill can lose or double a vote.
    """
    settings = context.settings.promotion
    promotion = _promotion(context)
    if promotion is None or context.clock.now() - promotion.at > settings.watch_for:
        return None
    champion = context.champion.get()
    previous = context.registry.previous()
    if champion is None or previous is None or previous.fingerprint != champion.record.fingerprint:
        return None  # vectors of two encoders never meet
    try:
        before = load_version(context.registry, previous)
    except CorruptArtifact as error:  # nothing to come back; `verify` and the log say so
        log.warning("the previous version is damaged, so the champion is not watched", error=str(error))
        return None
    fault = find(context.samples.alarms(), "pipeline_fault")
    if fault is not None and fault.raised_at is not None:
        return _watched_in_fault(context, champion, before, promotion.at, fault)
    rows = live_rows(context, champion.record.fingerprint, promotion.at, settings.watch_samples)
    return compare_versions(context, champion, before, rows) if len(rows) else None


def _watched_in_fault(
    context: Context, champion: LoadedVersion, before: LoadedVersion, since: datetime, fault: Alarm
) -> Watched | None:
    """The comparison on the families that fell together; None: what comes in is at fault, so it is no evidence.

    They fall, too, when a champion is new and bad: then the version before still catches most of their pictures.
    """
    moved: Any = fault.state.get("moved", [])
    fallen = {Subject("family", name) for name in moved}
    live = _live(context, champion.record.fingerprint, since)
    own = live.take([i for i, subject in enumerate(live.subjects) if subject in fallen])
    rows = _first(context, champion.record.fingerprint, own, context.settings.promotion.watch_samples)
    if not len(rows) or (before.held_out(rows) > before.threshold("raw")).mean() <= MOST:
        return None
    return compare_versions(context, champion, before, rows)


def compare_versions(context: Context, newer: LoadedVersion, older: LoadedVersion, rows: LabelledVectors) -> Watched:
    """Evidence that the newer one is worse on the rows (raw), at the watch's level and the gate's margin."""
    right = [(version.held_out(rows) > version.threshold("raw")) == rows.synthetic for version in (newer, older)]
    margin, alpha = context.settings.gate.false_positive_margin, context.settings.promotion.watch_alpha
    return compare_live(right[0], right[1], rows.synthetic, rows.groups, margin, alpha)


def _promotion(context: Context) -> AuditRow | None:
    """The audit's row of the champion's promotion, if the gate stands behind it."""
    changes = [row for row in context.registry.audit(("promote", "rollback")) if row.version]
    last = changes[-1] if changes else None
    if last is None or last.action != "promote" or last.previous is None:
        return None
    return last if last.actor == "gate" or last.payload.get("approved") else None


def live_rows(context: Context, fingerprint: str, since: datetime, most: int) -> LabelledVectors:
    """The first labelled pictures that came after a moment, at most so many (raw).

    Of no untrusted source, of no retired family, none that was reported because a version erred on it, and none that
    came with a pipeline fault.
    """
    live = _live(context, fingerprint, since).without(suspect_samples(context.samples))
    return _first(context, fingerprint, live, most)


def _live(context: Context, fingerprint: str, since: datetime) -> LabelledSamples:
    """All of them in canonical order: to count the newest alone would let the window slide on a busy family."""
    rows = every_comparable_sample(context, fingerprint).without(context.samples.untrusted())
    return rows.take([i for i, at in enumerate(rows.delivered_at) if at > since])


def _first(context: Context, fingerprint: str, rows: LabelledSamples, most: int) -> LabelledVectors:
    """Cut in the order in which they vote and get their vectors: what voted once is never cut off later."""
    return context.samples.with_vectors(fingerprint, "raw", rows.take(list(range(min(most, len(rows))))))
