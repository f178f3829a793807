"""What earlier champions and episodes say of a subject: whether it is new or known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from daemon.context import Context
from daemon.drift.baseline import KNOWN_GROUPS
from daemon.drift.subject_test import SubjectTest
from daemon.model import Episode, Subject, TestState, VersionRecord

Step = Literal["new", "known", "floor", "go_on"]


@dataclass(frozen=True, slots=True)
class History:
    """One subject before the present champion."""

    votes: int = 0  # groups that voted without alarm under its forebears, since the last alarm
    known: bool = False  # one of them watched it as known
    recovered: bool = False  # its last episode ended in recovery
    running: bool = False  # it has an open episode

    def makes_known(self, votes: int) -> bool:
        """Whether a subject with `votes` more votes, none of which alarmed, is known."""
        return not self.running and (self.known or self.recovered or self.votes + votes >= KNOWN_GROUPS)


def next_step(subject: Subject, state: TestState | None, test: SubjectTest | None, history: History) -> Step:
    """What happens before the subject's next votes count: a test starts, changes its kind, or goes on."""
    if test is None:
        return "known" if history.makes_known(0) else "new"
    alarmed = state is not None and state.alarmed_at is not None
    if test.stage == "new":
        return "known" if not alarmed and history.makes_known(test.test.votes) else "go_on"
    return "floor" if test.degraded and test.floor is None and subject.kind == "family" else "go_on"


def histories(context: Context, champion: VersionRecord, subjects: Sequence[Subject]) -> dict[Subject, History]:
    """The history of each subject, read from the store."""
    before = [_by_subject(context.samples.test_states(version)) for version in _forebears(context, champion)]
    # The last of a family, or the open one: a merger may have brought a later one that is over.
    episodes = sorted(context.samples.episodes(), key=lambda one: one.state in ("alarmed", "learned"))
    last = {episode.family: episode for episode in episodes}
    return {subject: _history(subject, before, last.get(subject.name)) for subject in subjects}


def _history(subject: Subject, before: Sequence[Mapping[Subject, TestState]], episode: Episode | None) -> History:
    votes, known = 0, False
    for states in before:
        state = states.get(subject)
        if state is None:
            continue
        if state.alarmed_at is not None:
            break
        votes += state.votes
        known = known or SubjectTest.from_dict(state.state).stage == "known"
    if subject.kind == "source" or episode is None:
        return History(votes, known)
    return History(votes, known, episode.state == "recovered", episode.state in ("alarmed", "learned"))


def _forebears(context: Context, champion: VersionRecord) -> list[str]:
    parents = {version.id: version.parent for version in context.registry.versions()}
    found: list[str] = []
    version = champion.parent
    while version is not None and version not in found:
        found.append(version)
        version = parents.get(version)
    return found


def _by_subject(states: Sequence[TestState]) -> dict[Subject, TestState]:
    return {state.subject: state for state in states}
