"""The sequential test of "the mean of the votes has not fallen below m0": for what was healthy for long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daemon.drift.betting import FRACTIONS, floored_path, log_mixture, log_steps
from daemon.drift.e_process import checked_state, checked_votes


@dataclass(frozen=True, slots=True)
class ECusum:
    """Evidence that the mean has fallen below m0, forgetting good times.

    While the mean is at least m0, votes from the start to the evidence A number A or more on average. An
    `EProcess` would have to win back first what it lost in good times.
    Source: method section 3; Shin, Ramdas and Rinaldo 2024, "E-detectors".
    """

    kind: ClassVar[str] = "e_cusum"
    m0: float  # in (0, 1)
    log_wealth: tuple[float, ...]  # (25,) natural log of each better's capital, after the last vote
    votes: int  # votes taken so far

    def __post_init__(self) -> None:
        checked_state(self.m0, self.log_wealth, self.votes)

    @classmethod
    def start(cls, m0: float) -> ECusum:
        """The test before its first vote: every better holds a capital of 1."""
        return cls(m0, (0.0,) * FRACTIONS.size, 0)

    @property
    def log_e(self) -> float:
        """Natural log of the evidence: the mean capital of the betters."""
        return float(log_mixture(np.asarray(self.log_wealth)))

    def update(self, values: ArrayLike) -> ECusum:
        """The test after a batch of votes; any cut into batches gives the same bits.

        values: (n,), in [0, 1], in canonical order, for here the order counts. Raises ValueError on a vote outside
        [0, 1] or NaN.
        """
        path = self._wealth_path(values)
        wealth = self.log_wealth if not len(path) else tuple(path[-1].tolist())
        return ECusum(self.m0, wealth, self.votes + len(path))

    def path(self, values: ArrayLike) -> NDArray[np.float64]:
        """Natural log of the evidence after each vote of a batch, in the order given.

        values: (n,), in [0, 1]. Returns float64 (n,).
        """
        return log_mixture(self._wealth_path(values))

    def _wealth_path(self, values: ArrayLike) -> NDArray[np.float64]:
        return floored_path(np.asarray(self.log_wealth), log_steps(checked_votes(values), self.m0))

    def to_dict(self) -> dict[str, Any]:
        """A mapping that JSON writes and reads back bit by bit."""
        return {"kind": self.kind, "m0": self.m0, "log_wealth": list(self.log_wealth), "votes": self.votes}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ECusum:
        """The state that `to_dict` wrote. Raises KeyError or ValueError when it is not one."""
        wealth = tuple(float(value) for value in stored["log_wealth"])
        return cls(float(stored["m0"]), wealth, int(stored["votes"]))
