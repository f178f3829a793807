"""Flapping: so many returns by themselves within a time, since a person last decided."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from daemon.model import AuditRow
from daemon.registry.flapping import WATCH, flapping

NOW = datetime(2030, 1, 8, tzinfo=UTC)
WEEK = timedelta(days=7)


def row(action: str, actor: str, days_ago: float, **payload: object) -> AuditRow:
    return AuditRow(
        number=1,
        at=NOW - timedelta(days=days_ago),
        actor=actor,
        action=action,
        version="v2",
        previous="v1",
        reason="",
        payload=payload,
        previous_hash="",
        hash="",
    )


RETURNS = [row("promote", "gate", 6), row("rollback", WATCH, 5), row("promote", "gate", 4), row("rollback", WATCH, 3)]


def test_two_returns_within_the_time_stop_automatic_promotion() -> None:
    found = flapping(RETURNS, NOW, 2, WEEK)
    assert found is not None
    assert found.startswith("2 promotions were taken back within 7 days")


@pytest.mark.parametrize(
    "audit",
    [
        [],
        RETURNS[:2],
        [row("promote", "gate", 9), row("rollback", WATCH, 8), *RETURNS[2:]],  # the first too long ago
        [row("rollback", "ada", 5), row("rollback", "ada", 3)],  # people's own
        [*RETURNS, row("promote", "ada", 1)],  # a person has decided since
        [*RETURNS, row("promote", "ada", 1, approved=True)],
        [*RETURNS, row("rollback", "ada", 1)],
    ],
)
def test_fewer_or_older_ones_or_those_that_a_person_has_seen_do_not(audit: list[AuditRow]) -> None:
    assert flapping(audit, NOW, 2, WEEK) is None


def test_what_people_say_of_samples_and_families_decides_nothing() -> None:
    assert flapping([*RETURNS, row("feedback", "ada", 1), row("reject", "ada", 0.5)], NOW, 2, WEEK) is not None
