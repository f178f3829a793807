"""When an alarmed family is learned again, and with how much weight."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from daemon.learn.triggers import attempts, due_triggers, new_family_weight
from daemon.model import Episode, FamilyRow, Subject, VersionRecord
from daemon.settings import LearnSettings

AT = datetime(2030, 1, 1, tzinfo=UTC)
NEW, OLD = Subject("family", "new"), Subject("family", "old")
SETTINGS = LearnSettings(new_family_weights=(1.0, 0.4, 0.1), retry_after_groups=5)
PROVED = {"decision": "reject", "harm": True}
POSSIBLE = {"decision": "hold", "harm": True}
NO_GAIN = {"decision": "hold", "harm": False}


def versions(verdicts: Iterable[dict[str, object]], groups: int = 20) -> list[VersionRecord]:
    """One challenger to the champion `v1` for each verdict."""
    return [
        VersionRecord(
            f"c{i}", "v1", "f" * 64, "closed_form", 1, "held", AT, "m", "t", {**v, "trigger_groups": {"new": groups}}
        )
        for i, v in enumerate(verdicts)
    ]


def due(verdicts: Iterable[dict[str, object]], *, groups: int = 20, modelled: tuple[Subject, ...] = (OLD,)) -> bool:
    episode = Episode(1, "new", "alarmed", "v1", AT, AT, 10, 0.5, 0.5)
    rows = [FamilyRow(s, None, None, "trusted", AT, AT, groups, groups, 4, trusted_sources=1) for s in (NEW, OLD)]
    return due_triggers([episode], rows, versions(verdicts), "v1", modelled, SETTINGS) == (NEW,)


def weight(verdicts: Iterable[dict[str, object]]) -> float:
    return new_family_weight([attempts(versions(verdicts), "v1", NEW)], SETTINGS)


@pytest.mark.parametrize("harm", [PROVED, POSSIBLE])
def test_harm_proved_or_not_excluded_is_answered_at_once_by_the_next_gentler_weight(harm: dict[str, object]) -> None:
    assert due([]) and weight([]) == 1.0
    assert due([harm]) and weight([harm]) == 0.4
    assert due([harm] * 2) and weight([harm] * 2) == 0.1


@pytest.mark.parametrize("last", [PROVED, POSSIBLE])
def test_when_every_weight_was_tried_the_family_waits_for_more_groups(last: dict[str, object]) -> None:
    tried = [PROVED, POSSIBLE, last]
    assert not due(tried)
    assert not due(tried, groups=24)
    assert due(tried, groups=25) and weight(tried) == 0.1


def test_a_gain_that_is_not_proved_waits_for_more_groups_with_the_same_weight() -> None:
    assert not due([NO_GAIN])
    assert due([NO_GAIN], groups=25)
    assert weight([NO_GAIN]) == 1.0
    assert not due([POSSIBLE, NO_GAIN]) and weight([POSSIBLE, NO_GAIN]) == 0.4


def test_a_gentler_weight_is_no_answer_while_no_family_is_new() -> None:
    assert not due([POSSIBLE], modelled=(OLD, NEW))
    assert due([POSSIBLE], groups=25, modelled=(OLD, NEW))


def test_a_verdict_from_before_harm_was_noted_counts_by_its_decision() -> None:
    assert weight([{"decision": "reject"}]) == 0.4
    assert weight([{"decision": "hold"}]) == 1.0 and not due([{"decision": "hold"}])
