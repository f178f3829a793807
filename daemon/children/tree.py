"""A process and everything below it: resident memory, and the end of all of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import psutil

_ROUNDS = 20  # a stopped parent cannot fork, its children can: look again so many times at most
_AFRESH = 25  # looks after which every process is asked for its parent again: a number may have been given anew


class Census:
    """Which process was started by which, for whoever looks many times a second: only newcomers are asked.

    That is enough, for a process gets another parent only when its own ends, and each of our children adopts the
    orphans below it (`daemon.children.host`): what was once below one stays below it.
    """

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._parents: dict[int, int] = {}
        self._looks = 0

    def take(self) -> None:
        """Look at the machine's processes as they are now."""
        if self._looks % _AFRESH == 0:
            self._known, self._parents = {}, {}
        self._looks += 1
        present = set(psutil.pids())
        for gone in self._known.keys() - present:
            del self._known[gone], self._parents[gone]
        for new in present - self._known.keys():
            try:
                process = psutil.Process(new)
                self._parents[new] = process.ppid()
            except psutil.Error:
                continue  # it ended meanwhile
            self._known[new] = process

    def below(self, process: psutil.Process, before: Sequence[psutil.Process] = ()) -> list[psutil.Process]:
        """The living processes below one, and below those that were seen below it before."""
        started: dict[int, list[int]] = defaultdict(list)
        for pid, parent in self._parents.items():
            started[parent].append(pid)
        due = [process.pid, *(one.pid for one in before)]
        seen = set(due)
        found: list[psutil.Process] = []
        while due:
            for pid in started[due.pop()]:
                if pid not in seen:
                    seen.add(pid)
                    due.append(pid)
                    found.append(self._known[pid])
        return [one for one in found if _lives(one)]


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
