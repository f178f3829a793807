"""The parent's side of one child process."""

from __future__ import annotations

import contextlib
import math
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import psutil

from daemon import errors
from daemon.children import frames, tree
from daemon.children.environment import minimal
from daemon.children.keeper import keeper
from daemon.children.pipe import Pipe
from daemon.errors import ChildFailed, ImageRejected, SidwatchError
from daemon.model import REASONS
from daemon.units import format_size

Cause = Literal["died", "deadline", "memory", "garbage"]

_LONGEST_LINE = 4_000  # characters of one line on a child's stderr
_REAP = 5.0  # seconds to wait for a killed process to be gone
_TYPES: dict[str, type[SidwatchError]] = {
    name: getattr(errors, name)
    for name in (
        "SidwatchError",
        "ConfigurationError",
        "WeightsMissing",
        "BadInputError",
        "TemporaryError",
        "StateLocked",
        "CorruptArtifact",
        "ChildFailed",
    )
}


class Child:
    """One child process with a role; requests go one at a time.

    role: of `daemon.children.__main__`. arguments: JSON, sent through the pipe (a command line is for all to
    read). deadline: seconds that one answer may take. memory_limit: bytes of resident memory of the child and
    everything below it, looked at five times a second; 0: no limit. environment: added to a minimal one.
    on_stderr: gets every line of the child's stderr. limits: the largest frame accepted from it.
    Raises ChildFailed when it cannot be started.
    """

    def __init__(
        self,
        role: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,
        memory_limit: int,
        environment: Mapping[str, str] | None = None,
        on_stderr: Callable[[str], None] | None = None,
        limits: frames.Limits | None = None,
    ) -> None:
        self.role = role
        self.cause: Cause | None = None  # why it ended, when it did not end as asked
        self._reason = ""
        self._deadline = self._allowed = deadline
        self._memory_limit = memory_limit
        self._due = math.inf  # monotonic seconds at which the answer that is waited for is overdue
        self._state = threading.Lock()
        self._turn = threading.Lock()
        self._below: list[psutil.Process] = []
        self._last_lines: deque[str] = deque(maxlen=5)
        self._on_stderr = on_stderr or _log(role)
        # -P: nothing in the current folder may stand in for a library
        command = [sys.executable, "-P", "-m", "daemon.children", role]
        try:
            self._process = keeper().start(command, minimal(environment or {}))
            self._tree = psutil.Process(self._process.pid)
        except (OSError, ValueError, psutil.Error) as error:
            raise ChildFailed(f"the {role} child could not be started: {error}") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._pipe = Pipe(self._process.stdin, self._process.stdout, limits or frames.Limits(), self._is_gone)
        self._lines = threading.Thread(target=self._pass_on, name=f"{role}-stderr", daemon=True)
        self._lines.start()
        keeper().watch(self)
        self._begin(None)
        try:
            self._send(arguments, ())
        finally:
            self._due = math.inf

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs and was not given up."""
        return self.cause is None and self._process.poll() is None

    def request(
        self, header: Mapping[str, Any], parts: Sequence[bytes] = (), *, deadline: float | None = None
    ) -> frames.Frame:
        """Ask and wait for the answer.

        Raises ChildFailed when the child dies, overruns or answers with garbage (it is killed then), and the
        typed error that it answers with.
        """
        with self._turn:
            self._begin(deadline)
            try:
                self._send(header, parts)
                return self._receive()
            finally:
                self._due = math.inf

    def receive(self, *, deadline: float | None = None) -> frames.Frame:
        """Wait for a frame that was not asked for (the first one, or the next of a stream); raises as `request`."""
        with self._turn:
            self._begin(deadline)
            try:
                return self._receive()
            finally:
                self._due = math.inf

    def close(self, grace: float = 2.0) -> None:
        """End the child: after its current answer, by closing its pipe, and after `grace` seconds by force."""
        with self._turn:
            self._below = _merge(self._below, tree.descendants(self._tree))
            self._pipe.close_requests()
            with contextlib.suppress(subprocess.TimeoutExpired):  # killed below then, like what it left behind
                self._process.wait(grace)
            self._end()

    def kill(self, cause: Cause, reason: str) -> None:
        """Kill the child and everything below it; the first reason stays."""
        with self._state:
            if self.cause is not None:
                return
            # The words before the deed: whoever reads the pipe looks for them when it breaks.
            self._reason = reason
            self.cause = cause
        tree.kill(self._tree, self._below)

    def look(self, census: tree.Census) -> bool:
        """Check deadline and memory (called by the keeper); False when the process is gone."""
        if self._process.poll() is not None:
            return False
        if time.monotonic() > self._due:
            self.kill("deadline", f"ran over its deadline of {self._allowed:g} s")
        elif self._memory_limit:
            self._below = _merge(self._below, census.below(self._tree, self._below))
            used = tree.resident(self._tree, self._below)
            if used > self._memory_limit:
                limit = format_size(self._memory_limit)
                self.kill("memory", f"used {used / 2**20:.0f} MiB, over its memory limit of {limit}")
        return True

    def _begin(self, deadline: float | None) -> None:
        if self.cause is not None:
            raise ChildFailed(f"the {self.role} child {self._reason}")
        self._allowed = self._deadline if deadline is None else deadline
        self._due = time.monotonic() + self._allowed

    def _send(self, header: Mapping[str, Any], parts: Sequence[bytes]) -> None:
        if not self._pipe.send(frames.pack(header, parts)):
            raise self._failure()

    def _receive(self) -> frames.Frame:
        try:
            frame = self._pipe.receive()
        except frames.BadFrame as error:
            self.kill("garbage", f"sent a malformed frame: {error}")
            raise self._failure() from error
        if frame is None:
            raise self._failure()
        if "error" in frame.header:
            raise self._typed(frame.header)
        return frame

    def _typed(self, header: Mapping[str, Any]) -> SidwatchError:
        name, message = header["error"], header.get("message")
        if name == "ImageRejected" and header.get("reason") in REASONS:
            return ImageRejected(header["reason"], str(header.get("detail")))
        if not isinstance(name, str) or name not in _TYPES:
            self.kill("garbage", f"sent an unknown error {name!r}")
            return self._failure()
        return _TYPES[name](str(message))

    def _failure(self) -> ChildFailed:
        """The child is gone or is to be: reap it and say why."""
        try:
            status = self._process.wait(_REAP if self.cause is not None else 1.0)
        except subprocess.TimeoutExpired:
            status = None  # it closed its pipe and lives on: killed here
        words = _words(status)
        self._lines.join(1.0)
        if status is not None and status > 0 and self._last_lines:
            words += f": {self._last_lines[-1]}"
        self.kill("died", words)
        self._end()
        return ChildFailed(f"the {self.role} child {self._reason}")

    def _end(self) -> None:
        tree.kill(self._tree, self._below)
        self._process.wait(_REAP)
        with self._state:
            if self.cause is None:
                self.cause, self._reason = "died", "was closed"
        self._lines.join(1.0)
        self._pipe.close()

    def _is_gone(self) -> bool:
        return self._process.poll() is not None

    def _pass_on(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        rest = b""
        while piece := stream.read(65_536):
            *lines, rest = (rest + piece).split(b"\n")
            rest = rest[:_LONGEST_LINE]
            for line in lines:
                self._line(line)
        if rest:
            self._line(rest)
        stream.close()

    def _line(self, line: bytes) -> None:
        text = line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip()
        if text:
            self._last_lines.append(text)
            self._on_stderr(text)


def _words(status: int | None) -> str:
    if status is None:
        return "closed its pipe"
    if status < 0:
        try:
            return f"died with signal {-status} ({signal.Signals(-status).name})"
        except ValueError:
            return f"died with signal {-status}"
    return f"ended with status {status}"


def _merge(known: list[psutil.Process], found: list[psutil.Process]) -> list[psutil.Process]:
    """All ever seen below the child; psutil compares number and start time. The dead ones are dropped."""
    return [*found, *(one for one in known if one not in found and one.is_running())]


def _log(role: str) -> Callable[[str], None]:
    import structlog  # here: the child's side imports this module too, and never logs

    logger = structlog.get_logger("daemon.children")

    def say(line: str) -> None:
        logger.info("a child says", role=role, line=line)

    return say
