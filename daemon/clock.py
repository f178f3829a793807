"""Wall and monotonic time behind one port; `AcceleratedClock` drives the demo and tests."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Event


class WallClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class AcceleratedClock:
    """Time that starts at `start` and stands still until it is moved.

    `sleep` moves it instead of waiting, so a simulated day costs nothing. Monotonic time moves along.
    """

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Move the clock on; it never goes back."""
        if by < timedelta(0):
            raise ValueError(f"time does not run backwards: {by}")
        self._elapsed += by.total_seconds()


class Stopwatch:
    """A deadline in real seconds that also ends when `stop` is set."""

    def __init__(self, seconds: float, stop: Event) -> None:
        self._until = time.monotonic() + seconds
        self._stop = stop

    def wait(self) -> bool:
        """Wait for the deadline; True when stopped before it."""
        return self._stop.wait(max(0.0, self._until - time.monotonic()))
