"""The run log: ticks once, one holder at a time, nothing forgotten."""

from __future__ import annotations

from datetime import datetime

import pytest
from store_testing import T0, minutes

from daemon.errors import BadInputError, TemporaryError
from daemon.model import JobPause
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


def pause(job: str = "cycle", until: datetime | None = None, reason: str = "the disk is moved") -> JobPause:
    return JobPause(job, minutes(1), until, "ada", reason)


def test_a_paused_job_is_not_claimed_until_it_is_resumed_and_what_waits_stays(store: Store) -> None:
    store.runs.pause(pause())
    store.runs.tick("cycle", 1, T0)
    store.runs.tick("poll", 1, T0)
    assert store.runs.claim("cycle", "me", minutes(20), minutes(10)) is None
    assert store.runs.claim("poll", "me", minutes(20), minutes(10)) is not None
    store.runs.tick("poll", 2, minutes(10))
    assert [(run.job, run.tick) for run in store.runs.under_way()] == [("poll", 1)]
    assert store.runs.resume("cycle", "ada", "it is back", minutes(11))
    assert store.runs.claim("cycle", "me", minutes(20), minutes(12)) is not None


def test_a_pause_with_an_end_is_over_then_and_no_resumption(store: Store) -> None:
    store.runs.tick("cycle", 1, T0)
    store.runs.pause(pause(until=minutes(5)))
    assert store.runs.claim("cycle", "me", minutes(20), minutes(4)) is None
    assert not store.runs.resume("poll", "ada", "", minutes(4))
    assert store.runs.claim("cycle", "me", minutes(20), minutes(5)) is not None
    assert not store.runs.resume("cycle", "ada", "", minutes(6))
    assert [row.action for row in store.registry.audit()] == ["job_paused"]


def test_a_second_pause_replaces_the_first_and_all_of_it_is_in_the_audit(store: Store) -> None:
    store.runs.pause(pause())
    store.runs.pause(pause(until=minutes(9), reason="longer"))
    store.runs.ask("poll", "ada", "now", minutes(2))
    store.runs.resume("cycle", "bob", "done", minutes(3))
    assert store.runs.pauses() == []
    rows = store.registry.audit()
    assert [(row.action, row.actor, row.reason, row.payload["job"]) for row in rows] == [
        ("job_paused", "ada", "the disk is moved", "cycle"),
        ("job_paused", "ada", "longer", "cycle"),
        ("job_asked_for", "ada", "now", "poll"),
        ("job_resumed", "bob", "done", "cycle"),
    ]
    assert store.runs.claim("poll", "me", minutes(20), minutes(4)) is not None
