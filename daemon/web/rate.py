"""Rate: one token bucket per caller, in memory of bounded size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

_MOST = 10_000  # callers remembered; whoever was silent longest is forgotten first


class Buckets:
    """Each holds a minute's requests and fills evenly. A caller who is not remembered starts with a full one.

    >>> now = [0.0]
    >>> buckets = Buckets(2, lambda: now[0])
    >>> buckets.take("a"), buckets.take("a"), buckets.take("a"), buckets.take("b")
    (0.0, 0.0, 30.0, 0.0)
    >>> now[0] = 30.0
    >>> buckets.take("a")
    0.0
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._size = float(per_minute)
        self._rate = per_minute / 60.0
        self._clock = clock
        self._lock = Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller -> (requests left, when)

    def take(self, caller: str) -> float:
        """Count one request; returns 0, or the seconds to wait when none is left."""
        now = self._clock()
        with self._lock:
            left, then = self._left.pop(caller, (self._size, now))
            left = min(self._size, left + (now - then) * self._rate)
            allowed = left >= 1.0
            self._left[caller] = (left - 1.0 if allowed else left, now)
            while len(self._left) > _MOST:
                self._left.popitem(last=False)
            return 0.0 if allowed else (1.0 - left) / self._rate
