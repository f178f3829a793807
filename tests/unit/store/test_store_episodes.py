"""What people say of an episode stands, whatever a pass that began before writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert

from daemon.errors import BadInputError, TemporaryError
from daemon.model import Episode, Subject, TestState
from store import Store
from store import tables as t
from tests.unit.store.store_testing import T0, minutes

OWN = "v0001-00000000"
FAMILY = Subject("family", "dalle2")
EPISODE = Episode(None, "dalle2", "alarmed", OWN, T0, minutes(1), 9, 0.5, 0.6)
ALARMED = TestState(OWN, FAMILY, {"wealth": [9.0]}, 3.5, 3.0, 9, 41, T0, minutes(1))
ANEW = replace(ALARMED, state={}, log10_evidence=0.0, votes=0, first_vote_at=None, alarmed_at=None, restarts=1)


def with_episode(store: Store) -> Episode:
    store.samples.save_tests([ALARMED], [EPISODE])
    (episode,) = store.samples.episodes()
    return episode


def number(episode: Episode) -> int:
    assert episode.id is not None
    return episode.id


def test_what_people_do_is_audited_and_not_written_over_by_the_service(store: Store) -> None:
    before = with_episode(store)
    store.samples.acknowledge_episode(number(before), "ada", "ticket 7", minutes(2))
    store.samples.snooze_episode(number(before), minutes(90), "bob", "", minutes(3))
    store.samples.update_episode(replace(before, samples_after=4))
    (after,) = store.samples.episodes()
    assert (after.samples_after, after.acknowledged_by, after.snoozed_until) == (4, "ada", minutes(90))
    assert after.handling(minutes(4)) == "snoozed" and after.handling(minutes(91)) == "acknowledged"
    rows = [(row.action, row.actor, row.reason, row.payload["family"]) for row in store.registry.audit()]
    assert rows == [("episode_ack", "ada", "ticket 7", "dalle2"), ("episode_snooze", "bob", "", "dalle2")]


def test_an_episode_that_alarms_again_is_nobodys(store: Store) -> None:
    episode = with_episode(store)
    store.samples.acknowledge_episode(number(episode), "ada", "", minutes(2))
    store.samples.update_episode(replace(episode, state="learned", version="v2", learned_at=minutes(3)))
    assert store.samples.episodes()[0].acknowledged_by == "ada"
    store.samples.save_tests([], [replace(episode, champion="v2")])
    assert store.samples.episodes()[0].handling(minutes(4)) == "open"


def test_closing_begins_the_test_anew_and_a_pass_that_began_before_changes_neither(store: Store) -> None:
    episode = with_episode(store)
    closed = store.samples.close_episode(number(episode), ANEW, "ada", "mislabelled", minutes(2))
    assert (closed.state, closed.note, closed.closed_at) == ("closed", "mislabelled", minutes(2))
    store.samples.save_tests([replace(ALARMED, votes=30)], [replace(episode, samples_to_alarm=30)])
    store.samples.update_episode(replace(episode, state="learned"))
    assert store.samples.test_states(OWN) == [ANEW]
    assert store.samples.episodes() == [closed]
    store.samples.save_tests([replace(ANEW, votes=5)], [])
    assert store.samples.test_states(OWN)[0].votes == 5
    assert [event.kind for event in store.samples.unsent_events()] == ["episode_closed"]


def test_a_family_that_is_alarmed_while_its_episode_is_closed_gets_a_new_one(store: Store) -> None:
    episode = replace(with_episode(store), state="learned")
    store.samples.update_episode(episode)
    store.samples.close_episode(number(episode), ANEW, "ada", "x", minutes(2))
    other = replace(ALARMED, version="v0002-00000000")
    store.samples.save_tests([other], [replace(episode, state="alarmed", champion=other.version)])
    assert [(one.state, one.champion) for one in store.samples.episodes()] == [
        ("closed", OWN),
        ("alarmed", other.version),
    ]


def test_closing_is_refused_when_the_test_changed_meanwhile(store: Store) -> None:
    episode = with_episode(store)
    with store.database.write() as connection:
        connection.execute(
            insert(t.version).values(
                id=OWN, number=1, fingerprint="f", learner="x", statistics_revision=1, state="promoted",
                created_at=T0, manifest_sha256="a", tensors_sha256="b",
            )
        )  # fmt: skip
        connection.execute(insert(t.alias).values(name="champion", version=OWN))
    for restarted, why in ((None, "alarmed this moment"), (replace(ANEW, restarts=2), "begun anew meanwhile")):
        with pytest.raises(TemporaryError, match=why):
            store.samples.close_episode(number(episode), restarted, "ada", "x", minutes(2))
    assert store.samples.test_states(OWN) == [ALARMED]
    assert store.samples.episodes()[0].state == "alarmed" and store.registry.audit() == []


def test_what_is_over_or_was_never_there_is_refused(store: Store) -> None:
    episode = with_episode(store)
    store.samples.close_episode(number(episode), ANEW, "ada", "x", minutes(2))
    with pytest.raises(BadInputError, match="is closed"):
        store.samples.acknowledge_episode(number(episode), "ada", "", minutes(3))
    with pytest.raises(BadInputError, match="no episode 99"):
        store.samples.snooze_episode(99, minutes(9), "ada", "", minutes(3))
    assert len(store.registry.audit()) == 1
