"""What forgetting does to the tests and the budget of false alarms: evidence goes, what it cost stays spent."""
# ruff: noqa: F811

from __future__ import annotations

import pytest

from daemon.model import ForgetTarget, Subject, TestState
from tests.integration.test_alarms import status
from tests.integration.test_families import episode, evading
from tests.integration.test_forgetting import (
    begun,  # noqa: F401  (a fixture)
    digest,
    forget,
    world,  # noqa: F401  (a fixture)
)
from tests.integration.test_relabel import status_of, watched
from tests.integration.test_story import assert_whole
from tests.integration.world import NEW, World, candidate

FAMILY = ForgetTarget("family", NEW)


def champions_test(world: World) -> TestState:
    champion = world.store.registry.champion()
    assert champion is not None
    (found,) = [s for s in world.store.samples.test_states(champion.id) if s.subject == Subject("family", NEW)]
    return found


def test_what_a_forgotten_familys_test_cost_stays_spent_and_nothing_else_is_left_of_it(world: World) -> None:
    evading(world)
    before = status(world).alarm_budget
    assert before is not None and before.new_spent > 0
    forget(world, FAMILY)
    watched(world)
    assert status(world).alarm_budget == before
    left = champions_test(world)
    assert (left.votes, left.log10_evidence, left.alarmed_at) == (0, 0.0, None)
    assert episode(world).state == "closed"
    assert_whole(world)


def test_a_family_that_comes_again_after_it_was_forgotten_costs_no_second_test(world: World) -> None:
    evading(world)
    before = status(world).alarm_budget
    assert before is not None
    forget(world, FAMILY)
    watched(world)
    world.inbox.put(candidate(NEW, i) for i in range(300, 308))
    assert watched(world).alarmed == (NEW,)
    after = status(world).alarm_budget
    assert after is not None
    assert (after.new_tests, after.new_spent) == (before.new_tests, pytest.approx(before.new_spent))
    assert champions_test(world).votes == 8
    assert_whole(world)


def test_forgetting_one_picture_takes_back_its_vote_alone(world: World) -> None:
    evading(world)
    before, alarm = status(world).alarm_budget, champions_test(world)
    forget(world, ForgetTarget("sample", digest(candidate(NEW, 0))))
    watched(world)
    assert status(world).alarm_budget == before
    assert champions_test(world).votes == alarm.votes - 1
    assert champions_test(world).log10_evidence < alarm.log10_evidence
    assert champions_test(world).alarmed_at == alarm.alarmed_at
    assert status_of(world, NEW) == "evading"
    assert_whole(world)
