"""The sequential alarms: a family, a real source, the real pool."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from daemon.drift.e_cusum import ECusum
from daemon.drift.e_process import EProcess


@dataclass(frozen=True, slots=True)
class AlarmTest:
    """One subject's sequential test: the mean of its parts' evidence against 1 / alpha.

    The mean of e-processes on the same votes is one again, so alpha holds for the whole; so it is with e-CUSUMs.
    """

    parts: tuple[EProcess | ECusum, ...]  # tests over the same votes
    alpha: float  # e-processes: probability that it ever alarms on a healthy subject; e-CUSUMs: 1 / run length
    alarm_vote: int | None = None  # the vote at which the evidence first crossed; None: no alarm yet

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("an alarm test needs at least one part")
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha must lie between 0 and 1, not {self.alpha}")

    @property
    def votes(self) -> int:
        """Votes taken so far."""
        return self.parts[0].votes

    @property
    def log_e(self) -> float:
        """Natural log of the evidence."""
        return float(np.logaddexp.reduce([part.log_e for part in self.parts])) - math.log(len(self.parts))

    @property
    def log_alarm(self) -> float:
        """Natural log of the evidence at which the alarm is raised."""
        return -math.log(self.alpha)

    @property
    def alarmed(self) -> bool:
        """Whether the alarm was raised; it stays until the test is started anew."""
        return self.alarm_vote is not None

    def update(self, *values: ArrayLike) -> AlarmTest:
        """The test after one batch; the alarm is judged at its end, so a shuffled batch decides alike.

        values: per part (n,), in [0, 1], the same votes in canonical order. Without votes nothing changes.
        Raises ValueError when the parts get different numbers of votes, or a vote outside [0, 1].
        """
        if len({np.size(part) for part in values}) > 1:
            raise ValueError("the parts of an alarm test must see the same votes")
        pairs = list(zip(self.parts, values, strict=True))
        if not np.size(values[0]):
            return self
        after = AlarmTest(tuple(part.update(v) for part, v in pairs), self.alpha, self.alarm_vote)
        if self.alarmed or after.log_e < self.log_alarm:
            return after
        paths = np.stack([part.path(v) for part, v in pairs])
        path = np.logaddexp.reduce(paths, axis=0) - math.log(len(pairs))
        # Path and end are summed in different orders: when only the end crosses, it is the last vote.
        crossed = np.flatnonzero(path >= self.log_alarm)
        first = int(crossed[0]) if crossed.size else path.size - 1
        return AlarmTest(after.parts, self.alpha, self.votes + first + 1)

    def restarted(self) -> AlarmTest:
        """The same test before its first vote."""
        return AlarmTest(tuple(type(part).start(part.m0) for part in self.parts), self.alpha)

    def to_dict(self) -> dict[str, Any]:
        """A mapping that JSON writes and reads back bit by bit."""
        parts = [part.to_dict() for part in self.parts]
        return {"parts": parts, "alpha": self.alpha, "alarm_vote": self.alarm_vote}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> AlarmTest:
        """The state that `to_dict` wrote. Raises KeyError or ValueError when it is not one."""
        vote = stored["alarm_vote"]
        parts = tuple(_KINDS[part.get("kind", EProcess.kind)].from_dict(part) for part in stored["parts"])
        return cls(parts, float(stored["alpha"]), None if vote is None else int(vote))


_KINDS: Final[Mapping[str, type[EProcess] | type[ECusum]]] = {EProcess.kind: EProcess, ECusum.kind: ECusum}


def family_test(alpha: float, placement_floor: float = 0.90, recall_floor: float = 0.50) -> AlarmTest:
    """The test of a new family: update it with placement values and with "scored above the threshold".

    Source: method section 3.
    """
    return AlarmTest((EProcess.start(placement_floor), EProcess.start(recall_floor)), alpha)


def known_family_test(run_length: float, placement_m0: float, recall_m0: float) -> AlarmTest:
    """The test of a known family against its own baseline; updated as `family_test`, alarms are `run_length` apart.

    Source: method section 3.
    """
    return AlarmTest((ECusum.start(placement_m0), ECusum.start(recall_m0)), 1.0 / run_length)


def source_test(alpha: float, false_positive_ceiling: float) -> AlarmTest:
    """The test of a real source: update it with 1 - flagged, whose mean must not fall below 1 - ceiling."""
    return AlarmTest((EProcess.start(1.0 - false_positive_ceiling),), alpha)


def known_source_test(run_length: float, false_positive_ceiling: float) -> AlarmTest:
    """The test of a real source that kept its ceiling for long; updated as `source_test`."""
    return AlarmTest((ECusum.start(1.0 - false_positive_ceiling),), 1.0 / run_length)


def pool_test(run_length: float, delta: float) -> AlarmTest:
    """The two-sided test that reals keep their mean placement within .5 +- delta: update it with U and 1 - U.

    Source: method section 3.
    """
    return AlarmTest((ECusum.start(0.5 - delta), ECusum.start(0.5 - delta)), 1.0 / run_length)
