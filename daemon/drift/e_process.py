"""The sequential test of "the mean of the votes is at least m0": may be looked at after every batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daemon.drift.betting import FRACTIONS, log_mixture, log_steps


@dataclass(frozen=True, slots=True)
class EProcess:
    """Evidence against "mean >= m0"; it reaches 1 / alpha with probability at most alpha if that is true.

    Source: method section 3.
    """

    kind: ClassVar[str] = "e_process"
    m0: float  # the floor, in (0, 1)
    log_wealth: tuple[float, ...]  # (25,) natural log of each better's capital
    votes: int  # votes taken so far

    def __post_init__(self) -> None:
        checked_state(self.m0, self.log_wealth, self.votes)

    @classmethod
    def start(cls, m0: float) -> EProcess:
        """The test before its first vote: every better holds a capital of 1."""
        return cls(m0, (0.0,) * FRACTIONS.size, 0)

    @property
    def log_e(self) -> float:
        """Natural log of the evidence: the mean capital of the betters."""
        return float(log_mixture(np.asarray(self.log_wealth)))

    def update(self, values: ArrayLike) -> EProcess:
        """The test after a batch of votes; any order of the batch gives the same bits.

        values: (n,), in [0, 1]. Raises ValueError on a vote outside [0, 1] or NaN.
        """
        # Sorted, because floating-point sums depend on the order and a shuffled batch must not.
        gain = log_steps(np.sort(checked_votes(values)), self.m0).sum(axis=0)
        wealth = np.asarray(self.log_wealth) + gain
        return EProcess(self.m0, tuple(wealth.tolist()), self.votes + np.size(values))

    def path(self, values: ArrayLike) -> NDArray[np.float64]:
        """Natural log of the evidence after each vote of a batch, in the order given.

        values: (n,), in [0, 1]. Returns float64 (n,).
        """
        steps = log_steps(checked_votes(values), self.m0)
        return log_mixture(np.asarray(self.log_wealth) + np.cumsum(steps, axis=0))

    def to_dict(self) -> dict[str, Any]:
        """A mapping that JSON writes and reads back bit by bit."""
        return {"kind": self.kind, "m0": self.m0, "log_wealth": list(self.log_wealth), "votes": self.votes}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> EProcess:
        """The state that `to_dict` wrote. Raises KeyError or ValueError when it is not one."""
        wealth = tuple(float(value) for value in stored["log_wealth"])
        return cls(float(stored["m0"]), wealth, int(stored["votes"]))


def checked_state(m0: float, log_wealth: Sequence[float], votes: int) -> None:
    """Raises ValueError unless these are the numbers of a sequential test."""
    if not 0.0 < m0 < 1.0:
        raise ValueError(f"the floor of a sequential test must lie between 0 and 1, not {m0}")
    if len(log_wealth) != FRACTIONS.size or not np.isfinite(log_wealth).all():
        raise ValueError(f"a sequential test needs {FRACTIONS.size} finite capitals")
    if votes < 0:
        raise ValueError("a sequential test cannot have taken a negative number of votes")


def checked_votes(values: ArrayLike) -> NDArray[np.float64]:
    """The votes as float64 (n,). Raises ValueError when one is not in [0, 1]."""
    votes = np.atleast_1d(np.asarray(values, dtype=np.float64))
    # Written so that NaN fails too: one NaN would poison the evidence for good.
    if not ((votes >= 0.0) & (votes <= 1.0)).all():
        raise ValueError("votes must be numbers between 0 and 1")
    return votes
