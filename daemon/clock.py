"""Wall and monotonic time behind one port; `AcceleratedClock` drives the demo and tests."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class WallClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def after_cycle(self) -> None:
        """Nothing: the machine's time moves by itself."""


class AcceleratedClock:
    """Time that starts at `start` and moves by `step` after every cycle, so a simulated day costs nothing.

    Monotonic time moves along.
    """

    def __init__(self, start: datetime, step: timedelta) -> None:
        self._start = start
        self._step = step
        self._elapsed = timedelta(0)

    def now(self) -> datetime:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed.total_seconds()

    def after_cycle(self) -> None:
        self._elapsed += self._step

    def catch_up(self, reached: datetime) -> None:
        """Go on from where an earlier process got to; time never runs backwards."""
        self._elapsed = max(self._elapsed, reached - self._start)
