"""Windows: which pictures a figure is made from, and what a window says of all families together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from daemon.model import EvaluationRow, Profile, Subject
from daemon.units import format_duration

HELD_OUT = "held_out"  # every picture, scored by a head that has not learned it
LEFT_OUT = "left_out"  # a real source, scored by a head solved without the whole source
PREQUENTIAL = "prequential"  # pictures that the version scored first, as champion, before any head learned from them

Rows = Mapping[Subject, NDArray[np.intp]]  # row numbers of each subject, oldest first


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


@dataclass(frozen=True, slots=True)
class Summary:
    """All families and real sources of one version in one window and profile."""

    version: str
    window: str
    profile: Profile
    families: int  # behind the mean
    mean_ap: float | None  # unweighted, over families with enough pictures
    worst_family: str | None  # among those with enough pictures for that
    worst_ap: float | None
    false_positive_rate: float | None  # unweighted, over real sources


def summaries(rows: Iterable[EvaluationRow], min_samples_worst: int) -> list[Summary]:
    """One per version, window and profile, in the rows' order.

    Families below the sample floor have no AP and do not count. Source: method section 2.
    """
    gathered: dict[tuple[str, str, Profile], list[EvaluationRow]] = {}
    for row in rows:
        gathered.setdefault((row.version, row.window, row.profile), []).append(row)
    return [_summary(*key, own, min_samples_worst) for key, own in gathered.items()]


def _summary(version: str, window: str, profile: Profile, rows: list[EvaluationRow], min_worst: int) -> Summary:
    measured = sorted((row.ap, row.subject.name, row.n) for row in rows if row.ap is not None)
    worst = next(((ap, name) for ap, name, n in measured if n >= min_worst), (None, None))
    rates = [row.false_positive_rate for row in rows if row.false_positive_rate is not None]
    return Summary(
        version=version,
        window=window,
        profile=profile,
        families=len(measured),
        mean_ap=float(np.mean([ap for ap, _, _ in measured])) if measured else None,
        worst_family=worst[1],
        worst_ap=worst[0],
        false_positive_rate=float(np.mean(rates)) if rates else None,
    )
