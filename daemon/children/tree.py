"""A process and everything below it: resident memory, and the end of all of it."""

from __future__ import annotations

import psutil

_ROUNDS = 20  # a stopped parent cannot fork, its children can: look again so many times at most


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """The living processes below one; empty when it is gone."""
    try:
        return [below for below in process.children(recursive=True) if _lives(below)]
    except psutil.Error:
        return []


def resident(process: psutil.Process, below: list[psutil.Process]) -> int:
    """Bytes of resident memory of a process and those below it; shared pages count once for each."""
    total = 0
    for one in (process, *below):
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue  # it ended between the two looks
    return total


def kill(process: psutil.Process, known: list[psutil.Process]) -> None:
    """Kill a process and all below it, and those that were once seen below it.

    The process is stopped first, so that it can neither fork nor adopt and lose what it adopted.
    """
    _do(process, "suspend")
    for _ in range(_ROUNDS):
        found = descendants(process)
        for below in found:
            _do(below, "kill")
        if not found:
            break
    _do(process, "kill")
    for below in known:
        if _lives(below):
            _do(below, "kill")


def _lives(process: psutil.Process) -> bool:
    try:
        # is_running compares the start time too: a recycled number is somebody else
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _do(process: psutil.Process, what: str) -> None:
    try:
        getattr(process, what)()
    except psutil.Error:
        return  # it is gone, or not ours to end
