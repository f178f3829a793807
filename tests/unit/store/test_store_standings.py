"""States are written over, and told in the same transaction."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from store_testing import T0, minutes

from daemon.model import Event, Subject, SubjectState
from store import Store

GAN = Subject("family", "stylegan2")
STATE = SubjectState(GAN, "detected", T0, 1)
EVENT = Event(None, "state:family:stylegan2:2", "family_state_changed", T0, "it evades", {"after": "evading"})


def test_the_last_state_counts_and_its_event_is_told_once(store: Store) -> None:
    evading = replace(STATE, state="evading", since=minutes(1), number=2)
    other = replace(STATE, subject=Subject("source", "photos"))
    store.samples.save_subject_states([(STATE, None), (other, None)])
    for _ in range(2):
        store.samples.save_subject_states([(evading, EVENT)])
    assert store.samples.subject_states() == {GAN: evading, other.subject: other}
    assert [replace(event, id=None) for event in store.samples.unsent_events()] == [EVENT]


def test_a_state_is_not_written_without_its_event(store: Store) -> None:
    store.samples.save_subject_states([(STATE, None)])
    with store.database.write() as connection:
        connection.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        )
    with pytest.raises(IntegrityError, match="disk full"):
        store.samples.save_subject_states([(replace(STATE, state="evading", number=2), EVENT)])
    assert store.samples.subject_states() == {GAN: STATE}
