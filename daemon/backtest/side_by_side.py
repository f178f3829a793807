"""Tasks side by side in threads: what they wait for, children and the disk, need not be waited for twice."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
MayGoOn = Callable[[], None]


class _Stopped(Exception):
    """Another task has failed; it is its error that counts."""


class _kept:
    """Keeps the error that ends its block, for the thread that asked to raise it."""

    def __init__(self, errors: list[BaseException]) -> None:
        self._errors = errors

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is not None:
            self._errors.append(error)
        return error is not None


def side_by_side(tasks: Sequence[Callable[[MayGoOn], T]], most: int) -> list[T]:
    """Do the tasks in this order, at most so many at once; returns their results in this order.

    Each task calls what it is given now and then: once another one has failed that ends it, and the first error is
    raised when all have ended. An interrupt (Ctrl-C) is raised at once: the threads end with the process, so a task
    must be one that may be killed anywhere.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(tasks)):
        waiting.put(number)
    results: dict[int, T] = {}
    errors: list[BaseException] = []  # the first is that of who failed first

    def may_go_on() -> None:
        if errors:
            raise _Stopped

    def work() -> None:
        while not errors:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            with _kept(errors):
                results[number] = tasks[number](may_go_on)

    threads = [threading.Thread(target=work, name=f"side-{i}", daemon=True) for i in range(min(most, len(tasks)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException as error:
        errors.append(error)  # whoever asks whether to go on is told not to
        raise
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(tasks))]
