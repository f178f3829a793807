"""The run log: ticks once, one holder at a time, nothing forgotten."""

from __future__ import annotations

import pytest
from store_testing import T0, minutes

from daemon.errors import BadInputError, TemporaryError
from store import Store


def test_a_tick_is_one_row(store: Store) -> None:
    assert store.runs.last_tick("cycle") == 0
    assert [store.runs.tick("cycle", 4, T0), store.runs.tick("cycle", 4, T0)] == [True, False]
    assert store.runs.tick("poll", 4, T0)
    assert store.runs.last_tick("cycle") == 4


def test_the_newest_tick_is_claimed_and_the_older_ones_are_skipped(store: Store) -> None:
    for tick in (1, 2, 3):
        store.runs.tick("cycle", tick, minutes(tick))
    run = store.runs.claim("cycle", "me", minutes(20), minutes(10))
    assert run is not None
    assert (run.tick, run.state, run.holder, run.started_at, run.lease_until) == (
        3,
        "running",
        "me",
        minutes(10),
        minutes(20),
    )
    store.runs.finish(run.id, "me", "ok", "12 samples", minutes(11))
    assert store.runs.counts() == {("cycle", "skipped"): 2, ("cycle", "ok"): 1}
    (latest,) = store.runs.latest()
    assert (latest.tick, latest.outcome, latest.detail, latest.finished_at) == (3, "ok", "12 samples", minutes(11))
    assert store.runs.claim("cycle", "me", minutes(30), minutes(12)) is None


def test_a_job_never_runs_twice_at_once(store: Store) -> None:
    store.runs.tick("cycle", 1, T0)
    store.runs.tick("poll", 1, T0)
    assert store.runs.claim("cycle", "me", minutes(5), T0) is not None
    store.runs.tick("cycle", 2, T0)
    assert store.runs.claim("cycle", "you", minutes(5), minutes(1)) is None
    assert store.runs.claim("poll", "you", minutes(5), minutes(1)) is not None


def test_a_run_whose_lease_expired_is_lost(store: Store) -> None:
    store.runs.tick("cycle", 1, T0)
    run = store.runs.claim("cycle", "me", minutes(5), T0)
    assert run is not None
    store.runs.extend(run.id, "me", minutes(8))
    assert store.runs.recover(minutes(7)) == []
    (lost,) = store.runs.recover(minutes(8))
    assert (lost.id, lost.outcome, lost.finished_at) == (run.id, "lost", minutes(8))
    assert store.runs.recover(minutes(9)) == []
    with pytest.raises(TemporaryError, match="is not held by me"):
        store.runs.finish(run.id, "me", "ok", "", minutes(9))
    with pytest.raises(TemporaryError, match="is not held by me"):
        store.runs.extend(run.id, "me", minutes(9))


def test_who_took_the_state_lock_recovers_every_running_row(store: Store) -> None:
    store.runs.tick("cycle", 1, T0)
    store.runs.claim("cycle", "host:1", minutes(500), T0)
    (lost,) = store.runs.recover(minutes(1), holder="host:1")  # in a container every process is number 1
    assert (lost.outcome, lost.detail) == ("lost", "found by host:1 at start")


def test_only_the_holder_finishes_a_run_and_may_say_so_twice(store: Store) -> None:
    store.runs.tick("cycle", 1, T0)
    run = store.runs.claim("cycle", "me", minutes(5), T0)
    assert run is not None
    with pytest.raises(TemporaryError, match="is not held by you"):
        store.runs.finish(run.id, "you", "ok", "", minutes(1))
    with pytest.raises(BadInputError, match="not splendid"):
        store.runs.finish(run.id, "me", "splendid", "", minutes(1))
    for _ in range(2):
        store.runs.finish(run.id, "me", "ok", "", minutes(1))
    assert store.runs.counts() == {("cycle", "ok"): 1}


def test_a_clock_set_back_makes_no_negative_duration(store: Store) -> None:
    store.runs.tick("cycle", 1, T0)
    run = store.runs.claim("cycle", "me", minutes(5), minutes(3))
    assert run is not None
    store.runs.finish(run.id, "me", "ok", "", minutes(-60))
    assert store.runs.latest()[0].finished_at == minutes(3)
