"""Evading and degraded: the tests of synthetic families. Inverted is a family that evades the wrong way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
        placements, recalls = _baseline(watch, subject, test)
        m0s = placement_m0(placements), recall_m0(recalls)
        ended = test.ended if test is not None else ()
        test = SubjectTest("known", known_family_test(levels.run_length, *m0s), now, since=seen, ended=ended)
    assert test is not None
    if step == "floor":
        test = replace(test, floor=family_test(levels.alpha, *floors), floor_started=now, floor_since=seen)
    if test.floor is not None and test.degraded_vote is None:
        return _counted_anew(watch, subject, test, new, levels)
    votes = _votes(watch, subject, new)
    if test.floor is not None:
        return replace(test, floor=test.floor.update(*votes))
    if test.stage == "new":
        return replace(test, test=test.test.update(*votes))
    return _watch_for_a_change(watch, subject, test, votes, levels.run_length)


def below_floors(watch: Watch, subject: Subject, test: SubjectTest | None) -> bool:
    """Whether the champion makes less of the family's pictures so far than the floors demand, or there are none.

    Such a family is not known, however long it did not alarm: held to a baseline below the floors it could be missed
    for ever.
    """
    placements, recalls = _baseline(watch, subject, test)
    if not placements.size:
        return True
    return bool(placements.mean() < watch.settings.auroc_floor or recalls.mean() < watch.settings.recall_floor)


def _baseline(watch: Watch, subject: Subject, test: SubjectTest | None) -> Votes:
    """What came so far; when a person ended an alarm, only what came since."""
    after = test.since if test is not None and test.ended else 0
    return watch.baseline(subject, watch.seen(subject), after)


def _counted_anew(
    watch: Watch, subject: Subject, test: SubjectTest, rows: Sequence[ScoredRow], levels: Levels
) -> SubjectTest:
    """A degraded family's test when labels were corrected: first the votes before the floor test, then its own."""
    assert test.floor is not None and test.floor_since is not None
    before = [row for row in rows if row.score_id <= test.floor_since]
    # At the run length that the change was proved at: the line may have risen since.
    watched = _watch_for_a_change(watch, subject, test, _votes(watch, subject, before), 1.0 / test.test.alpha)
    later = _votes(watch, subject, [row for row in rows if row.score_id > test.floor_since])
    if watched.degraded_vote is None:
        return _watch_for_a_change(watch, subject, watched.without_floor(), later, levels.run_length)
    return replace(watched, floor=test.floor.update(*later))


def _votes(watch: Watch, subject: Subject, rows: Sequence[ScoredRow]) -> Votes:
    """The votes of some rows; a group that voted before the first of them has none."""
    first = min((row.score_id for row in rows), default=0)
    voted = {row.group for row in watch.by_subject[subject] if row.score_id < first}
    return watch.votes(logits_of(rows), [row.group for row in rows], voted)


def _watch_for_a_change(
    watch: Watch, subject: Subject, test: SubjectTest, votes: Votes, run_length: float
) -> SubjectTest:
    # The run length follows the traffic of all known subjects; the evidence so far stays what it is.
    after = replace(test.test, alpha=1.0 / run_length).update(*votes)
    vote = test.degraded_vote
    name = watch.settings.detector
    if vote is None:
        vote = after.alarm_vote if name == "e_process" else _river_vote(watch, subject, test)
    return replace(test, test=after, degraded_vote=vote)


def _river_vote(watch: Watch, subject: Subject, test: SubjectTest) -> int | None:
    """River's detector, built anew from every stored score of the family, up to a floor test."""
    name = watch.settings.detector
    assert name != "e_process"
    rows = [row for row in watch.by_subject[subject] if row.score_id > test.since]
    if test.floor_since is not None:
        rows = [row for row in rows if row.score_id <= test.floor_since]
    placements, _ = _votes(watch, subject, rows)
    baseline, _ = watch.baseline(subject, test.since)
    return first_river_alarm(name, baseline.tolist(), placements.tolist())
