"""Scores, evaluations, sequential tests, episodes, events: written once, read back equal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from store_testing import PRINT, T0, embed, fake, minutes

from daemon.errors import BadInputError
from daemon.model import Episode, EvaluationRow, Event, Subject, TestState
from store import Store
from store import tables as t

GAN = Subject("family", "stylegan2")
OWN = "v0001-00000000"
EPISODE = Episode(None, "dalle2", "alarmed", OWN, T0, minutes(1), 9, 0.5, 0.6)


def test_a_score_is_given_once(store: Store) -> None:
    store.samples.admit("man", "trusted", [fake("a"), fake("b")], "1", T0)
    ids = embed(store)
    never = np.zeros(2, bool)
    store.samples.add_scores(OWN, "raw", ids[:1], np.array([1.0]), never[:1], T0)
    store.samples.add_scores(OWN, "raw", ids, np.array([5.0, 2.0]), ~never, T0)
    rows = store.samples.scored_rows(OWN, "raw")
    assert [(row.sample_id, row.logit, row.learned) for row in rows] == [(ids[0], 1.0, False), (ids[1], 2.0, True)]
    assert (rows[0].subject, rows[0].group, rows[0].delivered_at) == (GAN, f"sample:{min_sha()}", T0)
    assert store.samples.scored_rows(OWN, "raw", after_score_id=rows[0].score_id) == rows[1:]
    assert store.samples.scored_rows("v0002-00000000", "raw") == []


def min_sha() -> str:
    return min(fake("a").sha256, fake("b").sha256)


def test_a_sample_scored_under_one_profile_only_is_still_unscored(store: Store) -> None:
    store.samples.admit("man", "trusted", [fake("a")], "1", T0)
    ids = embed(store)
    store.samples.add_scores(OWN, "raw", ids, np.zeros(1), np.zeros(1, bool), T0)
    assert store.samples.unscored(PRINT, 9) == ids
    store.samples.add_scores("v0002-00000000", "laundered", ids, np.zeros(1), np.zeros(1, bool), T0)
    assert store.samples.unscored(PRINT, 9) == []
    assert store.samples.queue(PRINT)["score"] == (0, None)


def test_a_score_that_is_not_finite_is_refused(store: Store) -> None:
    with pytest.raises(BadInputError, match="not finite"):
        store.samples.add_scores(OWN, "raw", [1], np.array([np.nan]), np.zeros(1, bool), T0)


def test_the_newest_measurement_counts_as_a_whole(store: Store) -> None:
    old = EvaluationRow(OWN, GAN, "raw", "held_out", T0, 20, 18, ap=0.5, ap_lower=0.4, ap_upper=0.6, approximate=True)
    gone = replace(old, subject=Subject("family", "withdrawn"))
    new = replace(old, at=minutes(1), ap=0.9)
    sliding = replace(new, window="last_200", ap=None)
    store.samples.save_evaluations([old, gone])
    store.samples.save_evaluations([new, sliding, new])
    store.samples.save_evaluations([new, sliding])
    store.samples.save_evaluations([replace(old, version="v0002-00000000")])
    assert store.samples.latest_evaluations(OWN) == [new, sliding]


def test_a_measurement_at_the_time_of_another_takes_its_place(store: Store) -> None:
    row = EvaluationRow(OWN, GAN, "raw", "held_out", T0, 20, 18, ap=0.5)
    shadow = replace(row, window="shadow", ap=0.6)
    gone, other = replace(row, subject=Subject("family", "withdrawn")), replace(row, version="v0002-00000000")
    store.samples.save_evaluations([row, gone, shadow])
    store.samples.save_evaluations([other])
    again = [replace(row, n=40, ap=0.7), replace(row, subject=Subject("family", "newer"), n=9, ap=None)]
    store.samples.save_evaluations(again)
    assert store.samples.latest_evaluations(OWN) == [again[1], again[0], shadow]
    assert store.samples.latest_evaluations(other.version) == [other]


def test_a_shadow_comparison_stands_beside_the_measurement_and_never_for_it(store: Store) -> None:
    measured = EvaluationRow(OWN, GAN, "raw", "held_out", T0, 20, 18, ap=0.5)
    shadow = replace(measured, window="shadow", at=minutes(1), ap=0.6)
    again = replace(measured, at=minutes(2), ap=0.7)
    store.samples.save_evaluations([measured])
    store.samples.save_evaluations([shadow])
    assert store.samples.latest_evaluations(OWN) == [measured, shadow]
    store.samples.save_evaluations([again])
    assert store.samples.latest_evaluations(OWN) == [again, shadow]


def test_of_each_day_the_last_measurement_of_a_version_is_kept(store: Store) -> None:
    row = EvaluationRow(OWN, GAN, "raw", "held_out", T0, 20, 18, ap=0.5)
    times = [T0, minutes(1), minutes(2), T0 + timedelta(days=1), T0 + timedelta(days=1, minutes=1)]
    for at in times:
        store.samples.save_evaluations([replace(row, at=at)])
    store.samples.save_evaluations([replace(row, version="v0002-00000000")])
    store.samples.save_evaluations([row])  # late, after a newer one of the same day
    with store.database.read() as connection:
        kept = connection.execute(t.evaluation.select().where(t.evaluation.c.version == OWN)).all()
    assert [found.at for found in kept] == [minutes(2), T0 + timedelta(days=1, minutes=1)]


def test_tests_and_their_episodes_are_saved_together_and_once(store: Store) -> None:
    state = TestState(OWN, GAN, {"wealth": [0.1, 2.0]}, 1.5, 3.0, 7, 41, T0, None)
    store.samples.save_tests([state], [EPISODE])
    store.samples.save_tests([replace(state, votes=8, alarmed_at=minutes(2))], [EPISODE])
    assert store.samples.test_states(OWN) == [replace(state, votes=8, alarmed_at=minutes(2))]
    (episode,) = store.samples.episodes(open_only=True)
    assert replace(episode, id=None) == EPISODE


def test_a_family_has_one_open_episode_and_may_have_another_after_it_closed(store: Store) -> None:
    store.samples.save_tests([], [EPISODE])
    (first,) = store.samples.episodes()
    with pytest.raises(IntegrityError), store.database.write() as connection:
        connection.execute(insert(t.episode).values(**{**_values(EPISODE), "state": "learned"}))
    store.samples.update_episode(replace(first, state="recovered", recovered_at=minutes(5), ap_after=0.99))
    store.samples.save_tests([], [EPISODE])
    assert [episode.state for episode in store.samples.episodes()] == ["recovered", "alarmed"]
    assert len(store.samples.episodes(open_only=True)) == 1
    with pytest.raises(BadInputError, match="no episode 77"):
        store.samples.update_episode(replace(EPISODE, id=77))


def _values(episode: Episode) -> dict[str, object]:
    return {name: getattr(episode, name) for name in Episode.__slots__ if name != "id"}


def test_an_event_is_stored_once_and_sent_once(store: Store) -> None:
    event = Event(None, "promoted:v1", "champion_promoted", T0, "v1 is the champion", {"ap": 0.9})
    store.samples.add_event(event)
    store.samples.add_event(replace(event, text="again"))
    store.samples.add_event(replace(event, key="promoted:v2"))
    first, second = store.samples.unsent_events()
    assert replace(first, id=None) == event
    assert first.id is not None and second.id is not None
    store.samples.mark_sent([first.id], minutes(1))
    assert store.samples.unsent_events() == [second]
    assert [row.key for row in store.samples.events(1)] == ["promoted:v2"]
