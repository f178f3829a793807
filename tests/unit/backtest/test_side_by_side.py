"""Tasks side by side: results in order, at most so many at once, the first error ends all."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from daemon.backtest.side_by_side import MayGoOn, side_by_side


def test_results_come_in_the_order_of_the_tasks() -> None:
    second_done = threading.Event()

    def first(may_go_on: MayGoOn) -> str:
        assert second_done.wait(30)
        return "first"

    def second(may_go_on: MayGoOn) -> str:
        second_done.set()
        return "second"

    assert side_by_side([first, second], 2) == ["first", "second"]
    assert side_by_side([], 2) == []


def test_no_more_run_at_once_than_wanted_and_each_once() -> None:
    lock = threading.Lock()
    running, most, done = 0, 0, []

    def task(number: int, may_go_on: MayGoOn) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        done.append(number)
        threading.Event().wait(0.01)
        with lock:
            running -= 1
        return number

    assert side_by_side([partial(task, number) for number in range(7)], 2) == list(range(7))
    assert most <= 2
    assert sorted(done) == list(range(7))


def test_the_first_error_ends_the_others_and_is_raised() -> None:
    ended, begun, never = threading.Event(), threading.Event(), []

    def fails(may_go_on: MayGoOn) -> None:
        assert begun.wait(30)
        raise ValueError("the disk is full")

    def goes_on(may_go_on: MayGoOn) -> None:
        begun.set()
        try:
            while True:
                may_go_on()
                threading.Event().wait(0.001)
        finally:
            ended.set()

    with pytest.raises(ValueError, match="the disk is full"):
        side_by_side([fails, goes_on, lambda may_go_on: never.append(1)], 2)
    assert ended.is_set()
    assert never == []
