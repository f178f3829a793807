"""Work on the processor's cores side by side, for what numpy does outside of Python's lock."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST = 4  # threads: what is done here waits for memory, which more of them do not make faster
_own = threading.local()


@cache
def cores() -> int:
    """How many threads do work at once: the cores that this process may use, at most 4."""
    there = len(os.sched_getaffinity(0)) if sys.platform.startswith("linux") else os.cpu_count() or 1
    return min(there, _MOST)


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results in the order of the items, whatever ran when; what one raises, the caller gets.

    Work that itself asks for work side by side does that alone: its thread would wait for threads that wait like it.
    """
    if cores() == 1 or getattr(_own, "working", False):
        return [work(item) for item in items]
    return list(_threads().map(work, items))


@contextmanager
def meanwhile(work: Callable[[], Result]) -> Iterator[Future[Result]]:
    """Do this in a thread of its own while the block runs; the block ends when it is done, with what it raised."""
    with ThreadPoolExecutor(1, thread_name_prefix="meanwhile") as thread:
        doing = thread.submit(work)
        yield doing
        doing.result()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="solve", initializer=_begin)


def _begin() -> None:
    _own.working = True


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads
    os.register_at_fork(after_in_child=_threads.cache_clear)
