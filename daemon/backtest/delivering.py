"""The adapter of a back-test: what the calendar has due by the clock's time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.backtest.cache import Pictures
from daemon.backtest.calendar import Calendar
from daemon.model import Batch, Material

_BATCH = 256  # pictures of one batch, which lie in memory together


@dataclass(frozen=True)
class CalendarPoller:
    """A `Poller` over a calendar; its cursor counts the pictures delivered so far."""

    calendar: Calendar
    pictures: Pictures

    def __call__(
        self,
        name: str,
        kind: str,
        options: Mapping[str, Any],
        cursor: str | None,
        budget: int,
        now: datetime,
        *,
        material: Material | None = None,
    ) -> Iterator[Batch]:
        """Yield everything that is due and was not delivered yet."""
        done, at = int(cursor or 0), 0
        for delivery in self.calendar.deliveries:
            if delivery.at > now:
                return
            first, at = at, at + len(delivery.entries)
            for start in range(max(done - first, 0), len(delivery.entries), _BATCH):
                part = delivery.entries[start : start + _BATCH]
                candidates = tuple(entry.candidate(self.pictures.get(entry.sha256)) for entry in part)
                yield Batch(candidates, str(first + start + len(part)))
