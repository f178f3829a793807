"""Detect: every alarm looks at what came in; each lies in a file of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from daemon.context import Context
from daemon.drift.announcing import announce_alarms, announce_subjects
from daemon.drift.evading import advance_family, below_floors
from daemon.drift.history import History, Step, histories, next_step
from daemon.drift.levels import Levels, levels_of
from daemon.drift.misjudged import advance_source
from daemon.drift.novel_family import look_for_novelty
from daemon.drift.opening import opened
from daemon.drift.pipeline_fault import watch_pipeline
from daemon.drift.real_pool_shift import watch_real_pool
from daemon.drift.silence import watch_silence
from daemon.drift.standing import find
from daemon.drift.subject_test import SubjectTest
from daemon.drift.watch import Watch, look
from daemon.model import Alarm, Episode, Subject, TestState


def detect(context: Context) -> tuple[str, ...]:
    """Give every new score its votes; returns the families that are newly proved to evade.

    Tests belong to one champion: after a promotion they start anew (which the budget counts).
    """
    labels = context.samples.label_revision()
    before = context.samples.alarms()
    watch = look(context)
    tests, alarms = _votes(context, watch, before) if watch is not None else ([], [])
    alarms += [*look_for_novelty(context, before), *watch_silence(context, before)]
    changed = [alarm for alarm in alarms if alarm not in before]
    # First the events, then the alarms, then the tests: an event is stored once, the alarms remember the last score
    # they saw, and only the tests say that nothing is left to do. So a kill in between is harmless.
    if changed:
        announce_alarms(context, before, changed)
        context.samples.save_alarms(changed)
    if watch is None or not tests:
        return ()
    announce_subjects(context, list(watch.states.values()), tests)
    newly = [state for state in tests if state.alarmed_at and not _was_alarmed(_before(watch, state.subject))]
    families = [state for state in newly if state.subject.kind == "family"]
    episodes = [*opened(context, families), *_withdrawn(context, watch, tests)]
    context.samples.save_tests(tests, episodes, labels=labels)
    return tuple(state.subject.name for state in families)


def _votes(context: Context, watch: Watch, before: Sequence[Alarm]) -> tuple[list[TestState], list[Alarm]]:
    fault = watch_pipeline(watch, find(before, "pipeline_fault"))
    if fault.raised_at is not None:
        return [], [fault]  # no vote is counted until what comes in can be believed again
    steps = _steps(context, watch)
    levels = levels_of(context, sum(step in ("new", "floor") for step in steps.values()))
    pool = watch_real_pool(watch, find(before, "real_pool_shift"), levels.run_length)
    tests = [_advance(watch, subject, step, levels) for subject, step in steps.items()]
    tests += [watch.states[subject] for subject in watch.replayed if subject not in steps]  # no vote is left of it
    return tests, [fault] if pool is None else [fault, pool]


def _steps(context: Context, watch: Watch) -> dict[Subject, Step]:
    subjects = [subject for subject in watch.by_subject if watch.new(subject)]
    history = histories(context, watch.champion.record, subjects)
    return {subject: _step(watch, subject, history[subject]) for subject in subjects}


def _step(watch: Watch, subject: Subject, history: History) -> Step:
    test = _test(watch, subject)
    step = next_step(subject, watch.states.get(subject), test, history)
    if step == "known" and subject.kind == "family" and below_floors(watch, subject, test):
        return "new" if test is None else "go_on"
    return step


def _test(watch: Watch, subject: Subject) -> SubjectTest | None:
    state = watch.states.get(subject)
    return None if state is None else SubjectTest.from_dict(state.state)


def _advance(watch: Watch, subject: Subject, step: Step, levels: Levels) -> TestState:
    before, new = watch.states.get(subject), watch.new(subject)
    stored = _before(watch, subject)
    advance = advance_family if subject.kind == "family" else advance_source
    test = advance(watch, subject, _test(watch, subject), new, step, levels)
    running = test.running
    alarmed = running.alarmed and not (test.stage == "known" and test.floor is None and subject.kind == "family")
    goes_on = before is not None and step == "go_on"
    return TestState(
        version=watch.champion.record.id,
        subject=subject,
        state=test.to_dict(),
        log10_evidence=running.log_e / math.log(10),
        log10_alarm=running.log_alarm / math.log(10),
        votes=running.votes,
        last_score_id=max(row.score_id for row in new),
        first_vote_at=(before.first_vote_at if before and goes_on else None) or min(row.delivered_at for row in new),
        alarmed_at=(before.alarmed_at if before else None) or (_since(stored, watch.now) if alarmed else None),
        restarts=before.restarts if before else 0,
    )


def _before(watch: Watch, subject: Subject) -> TestState | None:
    """The subject's test as it is stored, its votes counted by labels that may have been corrected since."""
    return watch.replayed.get(subject) or watch.states.get(subject)


def _since(stored: TestState | None, now: datetime) -> datetime:
    """Since when it alarms: an alarm that stands when all is counted anew is no new one."""
    return stored.alarmed_at if stored is not None and stored.alarmed_at is not None else now


def _withdrawn(context: Context, watch: Watch, tests: Sequence[TestState]) -> list[Episode]:
    """Episodes of this champion whose alarm does not stand when all votes are counted anew."""
    gone = {test.subject.name for test in tests if test.alarmed_at is None and test.subject in watch.replayed}
    champion = watch.champion.record.id
    note = "not proved any more since labels were corrected or pictures forgotten"
    return [
        replace(episode, state="closed", note=note)
        for episode in context.samples.episodes(open_only=True)
        if episode.family in gone and episode.state == "alarmed" and episode.champion == champion
    ]


def _was_alarmed(state: TestState | None) -> bool:
    return state is not None and state.alarmed_at is not None
