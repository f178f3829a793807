"""Detect: the sequential tests of every family and real source against the champion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.drift.alarm import AlarmTest, family_test, source_test
from daemon.drift.budget import alarm_alpha
from daemon.drift.placement import placement_values
from daemon.drift.votes import group_votes
from daemon.model import Episode, EvaluationRow, Event, Profile, ScoredRow, Subject, TestState
from daemon.settings import AlarmSettings

PROFILE: Profile = "raw"  # pictures as they are delivered are what evades; the laundered figures are shown beside
MIN_REFERENCE = 20  # a placement value among fewer reference pictures is too coarse to bet on


def detect(context: Context) -> tuple[str, ...]:
    """Give every new score its vote; returns the families that are newly proved to evade.

    Tests belong to one champion: after a promotion they start anew (which the budget counts).
    """
    champion = context.champion.get()
    if champion is None:
        return ()
    reference = _reference_scores(context, champion)
    if len(reference) < MIN_REFERENCE:
        return ()
    states = {state.subject: state for state in context.samples.test_states(champion.record.id)}
    rows = [row for row in context.samples.scored_rows(champion.record.id, PROFILE) if not row.learned]
    updated = _advance(context, champion, states, rows, reference)
    newly = [state for state in updated if state.alarmed_at and not _was_alarmed(states.get(state.subject))]
    families = [state for state in newly if state.subject.kind == "family"]
    if updated:
        _announce(context, newly)  # before the tests are saved: an event is stored once, so a repeat is harmless
        context.samples.save_tests(updated, _episodes(context, champion, families))
    return tuple(state.subject.name for state in families)


def _advance(
    context: Context,
    champion: LoadedVersion,
    states: dict[Subject, TestState],
    rows: Sequence[ScoredRow],
    reference: NDArray[np.float64],
) -> list[TestState]:
    by_subject: dict[Subject, list[ScoredRow]] = {}
    for row in rows:
        by_subject.setdefault(row.subject, []).append(row)
    updated = []
    for subject, own in sorted(by_subject.items()):
        judge = _Judge(champion, reference, context.settings.alarms, context.clock.now())
        state = judge.advance(subject, states.get(subject), own)
        if state is not None:
            updated.append(state)
    return updated


@dataclass(frozen=True, slots=True)
class _Judge:
    """Runs the test of one subject over its new rows."""

    champion: LoadedVersion
    reference: NDArray[np.float64]  # (m,) champion's scores of the reference pool
    settings: AlarmSettings
    now: datetime

    def advance(self, subject: Subject, state: TestState | None, rows: Sequence[ScoredRow]) -> TestState | None:
        """The test after its new rows; None when there are none."""
        seen = state.last_score_id if state else 0
        new = [row for row in rows if row.score_id > seen]
        if not new:
            return None
        voted = {row.group for row in rows if row.score_id <= seen}
        test = AlarmTest.from_dict(state.state) if state else self._start(subject)
        after = test.update(*self._votes(subject, new, voted))
        return TestState(
            version=self.champion.record.id,
            subject=subject,
            state=after.to_dict(),
            log10_evidence=after.log_e / math.log(10),
            log10_alarm=after.log_alarm / math.log(10),
            votes=after.votes,
            last_score_id=max(row.score_id for row in new),
            first_vote_at=state.first_vote_at if state else min(row.delivered_at for row in new),
            alarmed_at=(state.alarmed_at if state else None) or (self.now if after.alarmed else None),
        )

    def _start(self, subject: Subject) -> AlarmTest:
        budget = self.settings
        alpha = alarm_alpha(budget.false_alarms_per_30_days, budget.new_tests_per_30_days)
        if subject.kind == "family":
            return family_test(alpha, budget.auroc_floor, budget.recall_floor)
        return source_test(alpha, budget.false_positive_ceiling)

    def _votes(self, subject: Subject, new: Sequence[ScoredRow], voted: set[str]) -> list[NDArray[np.float64]]:
        logits = np.array([row.logit for row in new])
        groups = [row.group for row in new]
        threshold = self.champion.threshold(PROFILE)
        flagged = (logits > threshold).astype(np.float64)
        if subject.kind == "source":
            return [group_votes(1.0 - flagged, groups, voted)[0]]
        if threshold == math.inf:  # too few reals to place one: that nothing is flagged says nothing of the family
            flagged = np.ones_like(flagged)
        placements = placement_values(self.reference, logits)
        return [group_votes(values, groups, voted)[0] for values in (placements, flagged)]


def _reference_scores(context: Context, champion: LoadedVersion) -> NDArray[np.float64]:
    """The frozen real pool: pictures of the reference split, which no head ever learns."""
    rows = context.samples.labelled_vectors(champion.record.fingerprint, PROFILE)
    chosen = [i for i, split in enumerate(rows.splits) if split == "reference" and rows.subjects[i].kind == "source"]
    return champion.artifact.head.scores(rows.vectors[chosen])


def _was_alarmed(state: TestState | None) -> bool:
    return state is not None and state.alarmed_at is not None


def _episodes(context: Context, champion: LoadedVersion, alarmed: Sequence[TestState]) -> list[Episode]:
    """One episode per alarmed family; a family that evades again takes up its open one."""
    before = {
        row.subject: row
        for row in context.samples.latest_evaluations(champion.record.id)
        if row.profile == PROFILE and row.window == "held_out"
    }
    running = {episode.family: episode for episode in context.samples.episodes(open_only=True)}
    return [
        _episode(state, champion.record.id, before.get(state.subject), running.get(state.subject.name))
        for state in alarmed
    ]


def _episode(state: TestState, champion: str, before: EvaluationRow | None, running: Episode | None) -> Episode:
    assert state.alarmed_at is not None and state.first_vote_at is not None
    alarm_vote = state.state["alarm_vote"]
    return Episode(
        id=running.id if running else None,
        family=state.subject.name,
        state="alarmed",
        champion=champion,
        opened_at=running.opened_at if running else state.first_vote_at,
        alarmed_at=state.alarmed_at,
        samples_to_alarm=int(str(alarm_vote)),
        ap_before=before.ap if before else None,
        auroc_before=before.auroc if before else None,
        note=f"evades again; {running.version} had learned it" if running and running.version else "",
    )


def _announce(context: Context, newly: Sequence[TestState]) -> None:
    for state in newly:
        kind, verb = (
            ("family_evades", "evades detection")
            if state.subject.kind == "family"
            else (
                "source_misjudged",
                "is misjudged",
            )
        )
        text = (
            f"{state.subject.name} {verb}: evidence 10^{state.log10_evidence:.1f} against an alarm line of "
            f"10^{state.log10_alarm:.1f} after {state.votes} votes"
        )
        key = f"{kind}:{state.subject.name}:{state.version}"
        data: dict[str, object] = {"subject": list(state.subject), "version": state.version, "votes": state.votes}
        context.samples.add_event(Event(None, key, kind, context.clock.now(), text, data))
