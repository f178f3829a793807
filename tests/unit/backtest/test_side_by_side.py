"""Tasks side by side: results in order, at most so many at once, the first error ends all."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from daemon.backtest.side_by_side import side_by_side


def nothing() -> None: ...


def test_results_come_in_the_order_of_the_tasks() -> None:
    second_done = threading.Event()

    def first() -> str:
        assert second_done.wait(30)
        return "first"

    def second() -> str:
        second_done.set()
        return "second"

    assert side_by_side([first, second], 2, nothing) == ["first", "second"]
    assert side_by_side([], 2, nothing) == []


def test_no_more_run_at_once_than_wanted_and_each_once() -> None:
    lock = threading.Lock()
    running, most, done = 0, 0, []

    def task(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        done.append(number)
        threading.Event().wait(0.01)
        with lock:
            running -= 1
        return number

    assert side_by_side([partial(task, number) for number in range(7)], 2, nothing) == list(range(7))
    assert most <= 2
    assert sorted(done) == list(range(7))


def test_the_first_error_ends_the_others_and_is_raised() -> None:
    begun, told, ended, never = threading.Event(), threading.Event(), threading.Event(), []

    def fails() -> None:
        assert begun.wait(30)
        raise ValueError("the disk is full")

    def waits() -> None:
        begun.set()
        assert told.wait(30)
        ended.set()
        raise OSError("its process was killed")

    with pytest.raises(ValueError, match="the disk is full"):
        side_by_side([fails, waits, lambda: never.append(1)], 2, told.set)
    assert ended.is_set()
    assert never == []
