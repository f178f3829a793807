"""Windows: which pictures a figure is made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from daemon.figures import HELD_OUT
from daemon.units import format_duration


@dataclass(frozen=True, slots=True)
class Window:
    """The newest part of a subject's pictures."""

    name: str  # as stored
    last: int | None = None  # the newest so many
    within: timedelta | None = None  # delivered within this; None and None: all

    def count(self, delivered_at: Sequence[datetime], rows: NDArray[np.intp], now: datetime) -> int:
        """How many of the subject's rows it holds, counted from the newest."""
        if self.last is not None:
            return min(self.last, rows.size)
        if self.within is not None:
            since = now - self.within
            return sum(delivered_at[row] > since for row in rows)
        return int(rows.size)


def windows(basis: str, last: Iterable[int], within: Iterable[timedelta]) -> tuple[Window, ...]:
    """The windows over one basis, `held_out` or `prequential`.

    last: numbers of pictures. within: durations.

    >>> [window.name for window in windows("prequential", [200], [timedelta(days=30)])]
    ['prequential', 'prequential_last_200', 'prequential_last_30d']
    """
    prefix = "" if basis == HELD_OUT else f"{basis}_"
    return (
        Window(basis),
        *(Window(f"{prefix}last_{count}", last=count) for count in last),
        *(Window(f"{prefix}last_{format_duration(age)}", within=age) for age in within),
    )
