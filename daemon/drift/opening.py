"""Opening: a family whose test has alarmed gets its episode, or takes up again the one that is open."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.context import Context
from daemon.drift.subject_test import SubjectTest
from daemon.drift.watch import PROFILE
from daemon.figures import HELD_OUT
from daemon.model import Episode, EvaluationRow, TestState


def opened(context: Context, alarmed: Sequence[TestState], note: str = "") -> list[Episode]:
    """One episode per alarmed family, with what the version's last measurement said of it.

    alarmed: tests of families. note: why, for those that have no open episode.
    """
    before = {
        (row.version, row.subject): row
        for version in {state.version for state in alarmed}
        for row in context.samples.latest_evaluations(version)
        if row.profile == PROFILE and row.window == HELD_OUT
    }
    running = {episode.family: episode for episode in context.samples.episodes(open_only=True)}
    return [
        _episode(state, before.get((state.version, state.subject)), running.get(state.subject.name), note)
        for state in alarmed
    ]


def _episode(state: TestState, before: EvaluationRow | None, running: Episode | None, note: str) -> Episode:
    assert state.alarmed_at is not None and state.first_vote_at is not None
    alarm_vote = SubjectTest.from_dict(state.state).running.alarm_vote
    assert alarm_vote is not None
    return Episode(
        id=running.id if running else None,
        family=state.subject.name,
        state="alarmed",
        champion=state.version,
        opened_at=running.opened_at if running else state.first_vote_at,
        alarmed_at=state.alarmed_at,
        samples_to_alarm=alarm_vote,
        ap_before=before.ap if before else None,
        auroc_before=before.auroc if before else None,
        note=f"evades again; {running.version} had learned it" if running and running.version else note,
    )
