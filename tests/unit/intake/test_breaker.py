"""When the circuit of an adapter opens, how long, and what does not open it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from daemon.errors import BadInputError, ChildFailed, SidwatchError, TemporaryError
from daemon.intake.breaker import Breaker, pause_after

MINUTE = timedelta(minutes=1)


class Source:
    """A source behind a breaker, on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.error: SidwatchError | None = None
        self.breaker = Breaker(MINUTE, lambda: self.now)

    def poll(self) -> type[SidwatchError] | None:
        try:
            with self.breaker.guard():
                self.asked += 1
                if self.error is not None:
                    raise self.error
        except SidwatchError as error:
            return type(error)
        return None


@pytest.mark.parametrize("error", [BadInputError("gone"), ChildFailed("died")])
def test_three_failures_in_a_row_open_it_and_the_pause_doubles(error: SidwatchError) -> None:
    source = Source()
    source.error = error
    asked_at = []
    for tick in range(60):
        source.now = 1000.0 + 60 * tick
        before = source.asked
        source.poll()
        if source.asked > before:
            asked_at.append(tick)
    assert asked_at == [0, 1, 2, 4, 8, 16, 32]


def test_a_success_closes_it() -> None:
    source = Source()
    for failing in (True, True, False, True, True, False):
        source.error = BadInputError("gone") if failing else None
        source.poll()
    assert source.asked == 6
    source.error = BadInputError("gone")
    for _ in range(3):
        source.poll()
    assert source.poll() is TemporaryError
    source.now += 120
    source.error = None
    assert source.poll() is None
    assert source.poll() is None


def test_failures_of_the_store_are_not_the_source_s() -> None:
    source = Source()
    source.error = TemporaryError("no space")
    for _ in range(10):
        source.poll()
    assert source.asked == 10


def test_failures_before_a_restart_count_and_yet_the_source_is_asked_once_more() -> None:
    noted: list[tuple[int, timedelta, str]] = []
    breaker = Breaker(MINUTE, lambda: 1000.0, 4, lambda *said: noted.append(said))
    with pytest.raises(BadInputError), breaker.guard():
        raise BadInputError("gone")
    assert noted == [(5, 8 * MINUTE, "gone")]
    with pytest.raises(TemporaryError, match="5 polls in a row failed"), breaker.guard():
        raise AssertionError("asked")


def test_the_pause_is_bounded() -> None:
    assert pause_after(10**6, MINUTE) == timedelta(hours=6)
