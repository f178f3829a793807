"""Evading and degraded: the tests of synthetic families. Inverted is a family that evades the wrong way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from daemon.drift.alarm import family_test, known_family_test
from daemon.drift.baseline import placement_m0, recall_m0
from daemon.drift.history import Step
from daemon.drift.levels import Levels
from daemon.drift.river_detectors import first_river_alarm
from daemon.drift.subject_test import SubjectTest
from daemon.drift.watch import Votes, Watch, logits_of
from daemon.model import ScoredRow, Subject


def advance_family(
    watch: Watch, subject: Subject, test: SubjectTest | None, new: Sequence[ScoredRow], step: Step, levels: Levels
) -> SubjectTest:
    """The family's test after its new rows; alarms are judged at the end of the batch.

    new: not empty, canonical order. Source: method section 3.
    """
    floors = watch.settings.auroc_floor, watch.settings.recall_floor
    now = watch.now.timestamp()
    seen = watch.seen(subject)
    if step == "new":
        test = SubjectTest("new", family_test(levels.alpha, *floors), now)
    elif step == "known":
        placements, recalls = _baseline(watch, subject, seen)
        m0s = placement_m0(placements), recall_m0(recalls)
        test = SubjectTest("known", known_family_test(levels.run_length, *m0s), now, since=seen)
    assert test is not None
    if step == "floor":
        test = replace(test, floor=family_test(levels.alpha, *floors), floor_started=now)
    voted = {row.group for row in watch.by_subject[subject] if row.score_id <= seen}
    votes = watch.votes(logits_of(new), [row.group for row in new], voted)
    if test.floor is not None:
        return replace(test, floor=test.floor.update(*votes))
    if test.stage == "new":
        return replace(test, test=test.test.update(*votes))
    return _watch_for_a_change(watch, subject, test, votes, levels)


def _watch_for_a_change(watch: Watch, subject: Subject, test: SubjectTest, votes: Votes, levels: Levels) -> SubjectTest:
    # The run length follows the traffic of all known subjects; the evidence so far stays what it is.
    after = replace(test.test, alpha=1.0 / levels.run_length).update(*votes)
    vote = test.degraded_vote
    name = watch.settings.detector
    if vote is None:
        vote = after.alarm_vote if name == "e_process" else _river_vote(watch, subject, test.since)
    return replace(test, test=after, degraded_vote=vote)


def _river_vote(watch: Watch, subject: Subject, since: int) -> int | None:
    """River's detector, built anew from every stored score of the family."""
    name = watch.settings.detector
    assert name != "e_process"
    rows = watch.by_subject[subject]
    voted = {row.group for row in rows if row.score_id <= since}
    later = [row for row in rows if row.score_id > since]
    placements, _ = watch.votes(logits_of(later), [row.group for row in later], voted)
    baseline, _ = _baseline(watch, subject, since)
    return first_river_alarm(name, baseline.tolist(), placements.tolist())


def _baseline(watch: Watch, subject: Subject, until: int) -> Votes:
    """What the champion makes of the family's pictures before the score id `until`, by heads that had not learned them.

    Pictures that an earlier champion scored have no score id by this one, and belong to it.
    """
    later = {row.sample_id for row in watch.by_subject.get(subject, ()) if row.score_id > until}
    rows = watch.labelled_rows.get(subject, np.zeros(0, np.intp))
    before = watch.labelled.take([row for row in rows if int(watch.labelled.sample_ids[row]) not in later])
    if not len(before):
        return np.zeros(0), np.zeros(0)
    baseline = watch.read(before)
    return watch.votes(watch.champion.held_out(baseline), baseline.groups)
