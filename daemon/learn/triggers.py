"""What asks for a new version: no champion yet, or families and real sources that the champion gets wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from daemon.drift.subject_test import has_degraded
from daemon.learn.attempts import Attempt
from daemon.model import Episode, FamilyRow, Subject, TestState
from daemon.settings import LearnSettings

Cause = Literal["alarm", "degraded", "misjudged", "named"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A family or real source that asks for a new version."""

    subject: Subject
    cause: Cause
    since: datetime | None  # of its incident; None: not known


def may_start(subjects: Sequence[FamilyRow], settings: LearnSettings) -> bool:
    """Whether there is enough for a first champion."""
    enough = [row for row in subjects if row.samples >= settings.first_samples]
    known = [row for row in enough if row.trust != "untrusted" and not row.anchor]
    families = sum(row.subject.kind == "family" for row in known)
    sources = sum(row.subject.kind == "source" for row in known)
    return families >= settings.first_families and sources >= settings.first_sources


def triggers_of(
    episodes: Iterable[Episode],
    tests: Iterable[TestState],
    named: Iterable[tuple[str, datetime]],
    modelled: Collection[Subject],
    wanted: Collection[str],
) -> tuple[Trigger, ...]:
    """What asks for a new version now, by subject; each once, by its gravest cause.

    episodes: open ones. tests: of the champion. named: families that a person named, and when. modelled: what the
    champion knows; a family that it knows is not novel. wanted: the causes that count.
    """
    found: dict[Subject, Trigger] = {}

    def add(subject: Subject, cause: Cause, since: datetime | None) -> None:
        if cause in wanted:
            found.setdefault(subject, Trigger(subject, cause, since))

    for episode in episodes:
        if episode.state == "alarmed":
            add(Subject("family", episode.family), "alarm", episode.alarmed_at)
    for test in tests:
        if test.subject.kind == "source" and test.alarmed_at is not None:
            add(test.subject, "misjudged", test.alarmed_at)
        elif test.subject.kind == "family" and test.alarmed_at is None and has_degraded(test):
            add(test.subject, "degraded", test.first_vote_at)
    for family, at in named:
        if Subject("family", family) not in modelled:
            add(Subject("family", family), "named", at)
    return tuple(sorted(found.values(), key=lambda trigger: trigger.subject))


def new_family_weight(histories: Iterable[Sequence[Attempt]], settings: LearnSettings) -> float:
    """The mixture weight of new families in the next attempt: one step down for every harm.

    histories: of each trigger, its attempts against the champion.
    """
    step = max((harms(attempts) for attempts in histories), default=0)
    return settings.new_family_weights[min(step, len(settings.new_family_weights) - 1)]


def harms(attempts: Iterable[Attempt]) -> int:
    """How many mixtures found harm to others, or could not exclude it."""
    return sum(attempt.harm for attempt in attempts if attempt.learner == "mixture")
