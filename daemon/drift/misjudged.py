"""Misjudged: the test of a real source, whose false-positive rate must stay under its ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from daemon.drift.alarm import known_source_test, source_test
from daemon.drift.history import Step
from daemon.drift.levels import Levels
from daemon.drift.subject_test import SubjectTest
from daemon.drift.watch import Watch, logits_of
from daemon.model import ScoredRow, Subject


def advance_source(
    watch: Watch, subject: Subject, test: SubjectTest | None, new: Sequence[ScoredRow], step: Step, levels: Levels
) -> SubjectTest:
    """The source's test after its new rows; a known source is held to the same ceiling, by an e-CUSUM.

    new: not empty, canonical order. Source: method sections 2 and 3.
    """
    ceiling = watch.settings.false_positive_ceiling
    now = watch.now.timestamp()
    seen = watch.seen(subject)
    if step == "new":
        test = SubjectTest("new", source_test(levels.alpha, ceiling), now)
    elif step == "known":
        test = SubjectTest("known", known_source_test(levels.run_length, ceiling), now, since=seen)
    assert test is not None
    running = test.test if test.stage == "new" else replace(test.test, alpha=1.0 / levels.run_length)
    voted = {row.group for row in watch.by_subject[subject] if row.score_id <= seen}
    votes = watch.false_positive_votes(logits_of(new), [row.group for row in new], voted)
    return replace(test, test=running.update(votes))
