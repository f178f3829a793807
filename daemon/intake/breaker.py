"""The circuit breaker of one adapter: a source that keeps failing is asked less and less often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from daemon.errors import BadInputError, ChildFailed, TemporaryError

FAILURES = 3  # polls in a row that fail before the circuit opens
LONGEST = timedelta(hours=6)


Note = Callable[[int, timedelta, str], None]  # (failures in a row, how long the source is left alone, why)


class Breaker:
    """Counts failed polls in a row.

    `failures` of an earlier process go on counting, yet each start asks the source once: what ailed it may be mended.
    """

    def __init__(
        self, every: timedelta, monotonic: Callable[[], float], failures: int = 0, note: Note | None = None
    ) -> None:
        self._every = every
        self._monotonic = monotonic
        self._failures = failures
        self._note = note
        self._closed_at = float("-inf")  # monotonic seconds

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run one poll; what it raises goes on.

        Raises TemporaryError when the circuit is open, and nothing was asked. The first poll after the pause is the
        trial: when it fails, the pause doubles. Failures of the store do not count, they are not the source's.
        """
        left = self._closed_at - self._monotonic()
        if left > 0:
            raise TemporaryError(f"{self._failures} polls in a row failed; the source is asked again in {left:.0f} s")
        try:
            yield
        except (BadInputError, ChildFailed) as error:
            self._failures += 1
            pause = pause_after(self._failures, self._every)
            self._closed_at = self._monotonic() + pause.total_seconds()
            if self._note is not None:
                self._note(self._failures, pause, str(error))
            raise
        self._failures = 0


def pause_after(failures: int, every: timedelta) -> timedelta:
    """Return how long a source is left alone after so many failures in a row: 0, then doubling, at most 6 hours.


    >>> [pause_after(n, timedelta(minutes=1)).total_seconds() for n in (2, 3, 4, 40)]
    [0.0, 120.0, 240.0, 21600.0]
    """
    if failures < FAILURES:
        return timedelta()
    return min(every * (1 << min(failures - FAILURES + 1, 20)), LONGEST)
