"""A test that a person ended: what it cost stays spent, and what came before makes nobody known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from daemon.context import Context
from daemon.drift.alarm import family_test
from daemon.drift.history import History, histories, next_step
from daemon.drift.subject_test import SubjectTest
from daemon.model import Subject, TestState, VersionRecord
from tests.unit.store.store_testing import T0

FAMILY = Subject("family", "aurora")
ENDED = ((100.0, 0.01), (200.0, 0.002))


def running(votes: int, ended: tuple[tuple[float, float], ...] = ()) -> SubjectTest:
    good = np.full(votes, 0.99)
    return SubjectTest("new", family_test(0.005).update(good, np.ones(votes)), 300.0, ended=ended)


def state(version: str, test: SubjectTest) -> TestState:
    return TestState(version, FAMILY, test.to_dict(), 0.0, 2.0, test.running.votes, 1, T0, None)


def test_its_levels_stay_spent_and_survive_the_store() -> None:
    test = running(3, ENDED)
    assert test.spent(0.0) == [0.01, 0.002, 0.005]
    assert test.spent(150.0) == [0.002, 0.005]
    assert SubjectTest.from_dict(test.to_dict()) == test
    stored = running(3).to_dict()
    del stored["ended"]  # as an earlier program wrote it
    assert SubjectTest.from_dict(stored) == running(3)


@pytest.mark.parametrize(("votes", "ended", "step"), [(5, (), "known"), (5, ENDED, "go_on"), (100, ENDED, "known")])
def test_it_is_known_again_only_by_votes_of_its_own(votes: int, ended: Any, step: str) -> None:
    test = running(votes, ended)
    assert next_step(FAMILY, state("v3", test), test, History(votes=200, known=True)) == step


def test_under_the_next_champion_nothing_before_the_ended_alarm_counts() -> None:
    versions = [VersionRecord(f"v{n}", f"v{n - 1}" if n else None, "f", "x", n, "", T0, "", "", None) for n in range(3)]
    tests = {"v0": [state("v0", running(300))], "v1": [state("v1", running(7, ENDED))]}
    samples = SimpleNamespace(test_states=lambda version: tests.get(version, []), episodes=lambda: [])
    context = SimpleNamespace(samples=samples, registry=SimpleNamespace(versions=lambda: versions))
    assert histories(cast(Context, context), versions[2], [FAMILY])[FAMILY] == History(votes=7)
