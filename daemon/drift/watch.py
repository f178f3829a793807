"""What one pass of detection looks at, read from the store once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.drift.placement import placement_values
from daemon.drift.reference import SMALLEST, reference_pool
from daemon.drift.spending import trusted_sources
from daemon.drift.subject_test import before_replay
from daemon.drift.votes import group_votes
from daemon.errors import TemporaryError
from daemon.model import REPLAY, LabelledSamples, LabelledVectors, Profile, ScoredRow, Subject, TestState
from daemon.settings import AlarmSettings
from daemon.suspect import suspect_ranges

PROFILE: Profile = "raw"  # pictures as they are delivered are what evades; the laundered figures are shown beside

Votes = tuple[NDArray[np.float64], NDArray[np.float64]]  # (n,) placement values, (n,) share above the threshold


@dataclass(frozen=True)
class Watch:
    """The champion, the real pool that it is tested against, and the scores that it gave."""

    champion: LoadedVersion
    labelled: LabelledSamples
    read: Callable[[LabelledSamples], LabelledVectors]  # the vectors of some of them, by the champion's encoder
    pool: NDArray[np.intp]  # rows of `labelled`
    reference: NDArray[np.float64]  # (m,) champion's scores of the pool
    every_row: tuple[ScoredRow, ...]  # of pictures that it had not learned, canonical order
    suspect: tuple[tuple[int, int], ...]  # score ids, first and last, that came with a pipeline fault
    states: Mapping[Subject, TestState]
    replayed: Mapping[Subject, TestState]  # as stored, of the tests among `states` that count all votes anew
    trusted: frozenset[Subject]  # real sources that may teach alone
    settings: AlarmSettings
    now: datetime

    @cached_property
    def rows(self) -> tuple[ScoredRow, ...]:
        """The rows that count as evidence."""
        return tuple(row for row in self.every_row if not is_suspect(row, self.suspect))

    @cached_property
    def by_subject(self) -> dict[Subject, list[ScoredRow]]:
        """The rows of each subject that count as evidence, subjects by name."""
        return rows_by_subject(self.rows)

    @cached_property
    def labelled_rows(self) -> dict[Subject, NDArray[np.intp]]:
        """Row numbers in `labelled` of each subject."""
        found: dict[Subject, list[int]] = {}
        for row, subject in enumerate(self.labelled.subjects):
            found.setdefault(subject, []).append(row)
        return {subject: np.array(rows, dtype=np.intp) for subject, rows in found.items()}

    @cached_property
    def learned(self) -> frozenset[Subject]:
        """The subjects that the champion learned something of."""
        known = self.champion.learned(self.labelled.learned_revision)
        return frozenset(self.labelled.subjects[row] for row in np.flatnonzero(known))

    def seen(self, subject: Subject) -> int:
        """The last score id that the subject's test has taken in."""
        state = self.states.get(subject)
        return state.last_score_id if state else 0

    def new(self, subject: Subject) -> list[ScoredRow]:
        """The subject's rows that its test has not taken in."""
        seen = self.seen(subject)
        return [row for row in self.by_subject.get(subject, ()) if row.score_id > seen]

    def votes(self, logits: NDArray[np.float64], groups: Sequence[str], voted: Collection[str] = ()) -> Votes:
        """One vote of placement and one of recall per group that has not voted."""
        threshold = self.champion.threshold(PROFILE)
        # Too few reals to place a threshold: that nothing is flagged says nothing of the family.
        flagged = np.ones_like(logits) if threshold == math.inf else (logits > threshold).astype(np.float64)
        placements = placement_values(self.reference, logits)
        return group_votes(placements, groups, voted)[0], group_votes(flagged, groups, voted)[0]

    def baseline(self, subject: Subject, until: int, after: int = 0) -> Votes:
        """What the champion makes of a family's earlier pictures, by heads that had not learned them.

        until, after: score ids; pictures that an earlier champion scored have none by this one, and belong to it
        unless `after` is given. What came with a pipeline fault never does.
        """
        key = (subject, until, after)
        if key not in self._baselines:
            self._baselines[key] = self._read_baseline(*key)
        return self._baselines[key]

    def _read_baseline(self, subject: Subject, until: int, after: int) -> Votes:
        ids = {row.sample_id: row.score_id for row in self.every_row if row.subject == subject}
        out = {row.sample_id for row in self.every_row if is_suspect(row, self.suspect)}
        rows = []
        for row in self.labelled_rows.get(subject, np.zeros(0, np.intp)):
            sample = int(self.labelled.sample_ids[row])
            score = ids.get(sample, 0)
            if (not after or score > after) and score <= until and sample not in out:
                rows.append(row)
        if not rows:
            return np.zeros(0), np.zeros(0)
        read = self.read(self.labelled.take(rows))
        return self.votes(self.champion.held_out(read), read.groups)

    @cached_property
    def _baselines(self) -> dict[tuple[Subject, int, int], Votes]:
        return {}

    def false_positive_votes(
        self, logits: NDArray[np.float64], groups: Sequence[str], voted: Collection[str] = ()
    ) -> NDArray[np.float64]:
        """Per group of reals that has not voted, the share that is not called synthetic."""
        flagged = (logits > self.champion.threshold(PROFILE)).astype(np.float64)
        return group_votes(1.0 - flagged, groups, voted)[0]


def look(context: Context, *, back: bool = False) -> Watch | None:
    """Read it; None when there is nothing to count, no champion, or too small a real pool.

    back: look at what was counted, too, when nothing is new.
    """
    champion = context.champion.get()
    if champion is None:
        return None
    retired = {subject for subject, flags in context.samples.family_flags().items() if flags.retired}
    tests = [one for one in context.samples.test_states(champion.record.id) if one.subject not in retired]
    states = {state.subject: state for state in tests}
    replayed = {subject: state for subject, state in states.items() if state.last_score_id == REPLAY}
    states |= {subject: before_replay(state) for subject, state in replayed.items()}
    reported = context.samples.reported()  # picked because the champion erred: no random sample of anything
    rows = [
        row
        for row in context.samples.scored_rows(champion.record.id, PROFILE)
        if not row.learned and row.subject not in retired and row.sample_id not in reported
    ]
    suspect = suspect_ranges(context.samples.alarms())
    if (
        not back
        and not replayed
        and not any(
            row.subject not in states or row.score_id > states[row.subject].last_score_id
            for row in rows
            if not is_suspect(row, suspect)
        )
    ):
        return None
    fingerprint = champion.record.fingerprint
    labelled = context.samples.labelled_samples(fingerprint).without(reported)
    pool = reference_pool(labelled, champion.record.created_at, context.samples.untrusted())
    if len(pool) < SMALLEST:
        return None
    reals = context.samples.with_vectors(fingerprint, PROFILE, labelled.take(pool))
    if len(reals) < len(pool):
        raise TemporaryError("pictures of the reference pool were forgotten just now; the next cycle looks again")
    return Watch(
        champion=champion,
        labelled=labelled,
        read=lambda rows: context.samples.with_vectors(fingerprint, PROFILE, rows),
        pool=pool,
        reference=champion.artifact.head.scores(reals.vectors),
        every_row=tuple(rows),
        suspect=suspect,
        states=states,
        replayed=replayed,
        trusted=trusted_sources(context.samples),
        settings=context.settings.alarms,
        now=context.clock.now(),
    )


def rows_by_subject(rows: Sequence[ScoredRow]) -> dict[Subject, list[ScoredRow]]:
    """The rows of each subject, subjects by name."""
    found: dict[Subject, list[ScoredRow]] = {}
    for row in rows:
        found.setdefault(row.subject, []).append(row)
    return dict(sorted(found.items()))


def is_suspect(row: ScoredRow, suspect: Sequence[tuple[int, int]]) -> bool:
    """Whether the score lies in one of the ranges."""
    return any(first <= row.score_id <= last for first, last in suspect)


def logits_of(rows: Sequence[ScoredRow]) -> NDArray[np.float64]:
    """The champion's scores, float64 (n,)."""
    return np.array([row.logit for row in rows], dtype=np.float64)
