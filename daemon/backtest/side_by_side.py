"""Tasks side by side in threads, each of which waits for a process of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class _kept:
    """Keeps the error that ends its block, for the thread that asked to raise it; the first one ends the others."""

    def __init__(self, errors: list[BaseException], end: Callable[[], None]) -> None:
        self._errors = errors
        self._end = end

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is not None:
            self._errors.append(error)
            self._end()
        return error is not None


def side_by_side(tasks: Sequence[Callable[[], T]], most: int, end: Callable[[], None]) -> list[T]:
    """Do the tasks in this order, at most so many at once; returns their results in this order.

    end: called when one has failed, so that what the others wait for ends; the first error is raised when all have
    ended, and no further task is begun. An interrupt (Ctrl-C) calls it too and is raised at once.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(tasks)):
        waiting.put(number)
    results: dict[int, T] = {}
    errors: list[BaseException] = []  # the first is that of who failed first

    def work() -> None:
        while not errors:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            with _kept(errors, end):
                results[number] = tasks[number]()

    threads = [threading.Thread(target=work, name=f"side-{i}", daemon=True) for i in range(min(most, len(tasks)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException as error:
        errors.append(error)
        end()
        raise
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(tasks))]
