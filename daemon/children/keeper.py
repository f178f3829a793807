"""One thread that starts all children and watches their deadlines and resident memory.

It starts them itself because Linux sends the death signal when the *thread* that started a child ends; this one
lives as long as the process. It keeps SIGINT and SIGTERM blocked, and children inherit that: they belong to the
parent's process group and get its signals, yet draining them is the parent's business.
"""

from __future__ import annotations

import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from daemon.children.tree import Census

PERIOD = 0.2  # seconds between two looks at the children


class Watched(Protocol):
    """What the keeper looks after."""

    def look(self, census: Census) -> bool:
        """Check deadline and memory, kill when over; False when there is nothing left to watch."""
        ...


_Start = Callable[[], None]


class Keeper:
    """The thread; use the one of this process through `keeper()`."""

    def __init__(self) -> None:
        self._starts: queue.Queue[_Start] = queue.Queue()
        self._watched: list[Watched] = []
        self._census = Census()
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="children", daemon=True).start()

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a process with three pipes; OSError when that fails."""
        started: Future[subprocess.Popen[bytes]] = Future()

        def begin() -> None:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    env=dict(environment),
                )
            except (OSError, ValueError) as error:
                started.set_exception(error)
            else:
                started.set_result(process)

        self._starts.put(begin)
        return started.result()

    def watch(self, child: Watched) -> None:
        """Look at the child from now on, until it says that it is gone."""
        with self._lock:
            self._watched.append(child)
        self._starts.put(_wake)

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        while True:
            # Nothing to watch: sleep until a child is to be started.
            try:
                begin = self._starts.get(timeout=PERIOD if self._watched else None)
            except queue.Empty:
                begin = _wake
            begin()
            self._look()

    def _look(self) -> None:
        with self._lock:
            watched = list(self._watched)
        if watched:
            self._census.take()  # once for all of them: it reads the list of all processes
        gone = [child for child in watched if not child.look(self._census)]
        with self._lock:
            self._watched = [child for child in self._watched if child not in gone]


def _wake() -> None:
    """Nothing to start: only look."""


_keeper: Keeper | None = None
_making = threading.Lock()


def keeper() -> Keeper:
    """The keeper of this process, started when first needed."""
    global _keeper
    with _making:
        if _keeper is None:
            _keeper = Keeper()
        return _keeper
