"""What the gate is asked: two models' scores of the same samples, and how sure it must be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from daemon.model import Profile, Subject


@dataclass(frozen=True, slots=True)
class Comparison:
    """Champion's and challenger's scores of the same holdout samples under one profile.

    Raises ValueError when the columns differ in length, a score is NaN, or there is no real or no fake.
    """

    profile: Profile
    scores_champion: NDArray[np.float64]  # (n,) logits
    scores_challenger: NDArray[np.float64]  # (n,) logits of the same samples
    synthetic: NDArray[np.bool_]  # (n,)
    subjects: tuple[Subject, ...]  # (n,) family of a fake, source of a real
    groups: tuple[str, ...]  # (n,) group keys
    threshold_champion: float  # logit; synthetic means above it; may be +inf
    threshold_challenger: float
    # Rows of reals only are read: flagged under a head solved without the row's own source. Both or neither.
    left_out_champion: NDArray[np.bool_] | None = None  # (n,)
    left_out_challenger: NDArray[np.bool_] | None = None  # (n,)
    # Calibrated probabilities of "synthetic". Both or neither.
    probabilities_champion: NDArray[np.float64] | None = None  # (n,) in [0, 1]
    probabilities_challenger: NDArray[np.float64] | None = None  # (n,) in [0, 1]

    def __post_init__(self) -> None:
        columns = (self.scores_champion, self.scores_challenger, self.synthetic, self.subjects, self.groups)
        given = [column for column in (*columns, *self._pairs()) if column is not None]
        if len({len(column) for column in given}) != 1:
            raise ValueError(f"the columns of the {self.profile} comparison differ in length")
        numbers = (
            self.scores_champion,
            self.scores_challenger,
            self.threshold_champion,
            self.threshold_challenger,
        )
        if any(np.isnan(values).any() for values in numbers):
            raise ValueError(f"a score or threshold of the {self.profile} comparison is NaN")
        if not self.synthetic.any() or self.synthetic.all():
            raise ValueError(f"the {self.profile} comparison needs reals and fakes")
        left_out, probabilities = self._pairs()[:2], self._pairs()[2:]
        if any((first is None) != (second is None) for first, second in (left_out, probabilities)):
            raise ValueError("left-out flags and probabilities must be given for both models or for neither")

    def _pairs(self) -> tuple[NDArray[np.bool_] | NDArray[np.float64] | None, ...]:
        return (
            self.left_out_champion,
            self.left_out_challenger,
            self.probabilities_champion,
            self.probabilities_challenger,
        )


@dataclass(frozen=True, slots=True)
class GateSettings:
    """How sure the gate must be; the defaults are those of method section 5."""

    superiority_alpha: float = 0.01  # shared by all attempts on one holdout epoch
    # Family-wise level (Holm) of proofs of harm, once over families and once over real sources. At .05 a
    # harmless challenger would be rejected by chance one time in ten, at .02 one time in thirty; a family of 100
    # that lost .10 AP is found at .01 too, among a hundred others.
    harm_alpha: float = 0.01
    # One-sided level of the bounds against a margin. There are four or more of them and all must pass: at .05
    # a challenger better by .05 AP on 100 fakes is promoted in 80 % of cases, at .10 in 90 %.
    bound_alpha: float = 0.10
    family_margin: float = 0.02  # AP; a loss below it counts as none
    macro_margin: float = 0.01  # AP; the same for the mean of the families that did not trigger
    rate_margin: float = 0.02  # highest accepted increase of the false-positive rate
    calibration_margin: float = 0.01  # balanced Brier score; smaller losses are real at times, never harmful
    # What becomes of a mean AP or false-positive rate that so few samples cannot decide, however harmless the
    # challenger: `hold`, or promote and `watch` while the figure itself stays within the margin.
    unresolved: Literal["hold", "watch"] = "hold"
    min_groups: int = 10  # under it a family is not judged
    small_source: int = 100  # reals; sources under it are judged together
    replicates: int = 1000  # of the group bootstrap
    seed: int = 0
    prevalence: float = 0.5  # share of fakes that APs are stated for

    def attempt_alpha(self, attempt: int) -> float:
        """Level of the i-th attempt on one epoch: all attempts together stay under `superiority_alpha`.

        Raises ValueError when attempt < 1. Source: method section 5 (sum of 6 / (pi^2 i^2) is 1).
        """
        if attempt < 1:
            raise ValueError(f"attempts are counted from 1, not {attempt}")
        return self.superiority_alpha * 6.0 / (math.pi * attempt) ** 2
