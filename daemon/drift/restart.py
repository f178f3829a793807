"""Restart: a person ended an alarm, so the family's test begins anew."""

from __future__ import annotations

import math
from dataclasses import replace

from daemon.context import Context
from daemon.drift.alarm import family_test
from daemon.drift.levels import levels_of
from daemon.drift.subject_test import SubjectTest
from daemon.drift.watch import PROFILE
from daemon.model import Subject, TestState


def begun_anew(context: Context, family: str) -> TestState | None:
    """The champion's test of a family as it begins anew; None: it has not alarmed, so it goes on.

    Only pictures that the champion scores from now on vote in it, against the floors, at a level out of what the budget
    has left; what the ended test cost stays spent. A family that was known must earn that again.
    """
    champion = context.registry.champion()
    subject = Subject("family", family)
    states = context.samples.test_states(champion.id) if champion is not None else []
    before = next((state for state in states if state.subject == subject and state.alarmed_at is not None), None)
    if before is None:
        return None
    ended = SubjectTest.from_dict(before.state).begun()
    alarms = context.settings.alarms
    test = family_test(levels_of(context, 1).alpha, alarms.auroc_floor, alarms.recall_floor)
    scored = [row.score_id for row in context.samples.scored_rows(before.version, PROFILE) if row.subject == subject]
    last = max(scored, default=before.last_score_id)
    again = SubjectTest("new", test, context.clock.now().timestamp(), since=max(last, 0), ended=ended)
    return replace(
        before,
        state=again.to_dict(),
        log10_evidence=0.0,
        log10_alarm=again.running.log_alarm / math.log(10),
        votes=0,
        last_score_id=last,
        first_vote_at=None,
        alarmed_at=None,
        restarts=before.restarts + 1,
    )
