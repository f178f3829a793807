"""Paired differences between challenger and champion, their bounds, and Holm's procedure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, stdtr, stdtrit

from daemon.evaluate.average_precision import average_precision
from daemon.evaluate.intervals import Side, replicate_together, sum_by_group
from daemon.model import Profile, Subject
from daemon.promote.comparison import Comparison, GateSettings

RESOLVED = 10  # replicates beyond a percentile before it is believed


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of both models and what is known about the difference.

    Bounds are those of Student's t with the replicates' standard error and the groups' degrees of freedom,
    for a percentile at .0003 would need tens of thousands of replicates. The percentile at the smallest level
    that the replicates resolve can only widen them: a skewed difference is not left to the bell curve.
    """

    profile: Profile
    subject: Subject | None
    champion: float
    challenger: float
    value: float  # challenger - champion, or the gain
    standard_error: float
    n: int  # samples
    groups: int
    replicates: NDArray[np.float64] | None = field(default=None, repr=False)  # (r,) of the value

    def lower(self, alpha: float) -> float:
        """One-sided lower bound at level alpha."""
        bound = self.value - self._reach(alpha)
        if self.replicates is None:
            return bound
        return min(bound, float(np.quantile(self.replicates, _resolved(alpha, self.replicates.size))))

    def upper(self, alpha: float) -> float:
        """One-sided upper bound at level alpha."""
        bound = self.value + self._reach(alpha)
        if self.replicates is None:
            return bound
        return max(bound, float(np.quantile(self.replicates, 1.0 - _resolved(alpha, self.replicates.size))))

    def p_worse(self) -> float:
        """p-value of "the value is not below zero"."""
        return self._p_value(-1.0)

    def p_better(self) -> float:
        """p-value of "the value is not above zero"."""
        return self._p_value(1.0)

    def _p_value(self, sign: float) -> float:
        if self.groups < 2 or sign * self.value <= 0.0:
            return 1.0
        if self.standard_error == 0.0:
            return 0.0
        p = float(stdtr(self.groups - 1, -sign * self.value / self.standard_error))
        if self.replicates is None:
            return p
        beyond = int(np.count_nonzero(sign * self.replicates <= 0.0))
        return max(p, beyond / self.replicates.size) if beyond >= RESOLVED else p

    def _reach(self, alpha: float) -> float:
        if self.groups < 2:
            return float("inf")
        return -float(stdtrit(self.groups - 1, alpha)) * self.standard_error


def _resolved(alpha: float, replicates: int) -> float:
    return min(0.5, max(alpha, RESOLVED / replicates))


def family_differences(comparison: Comparison, settings: GateSettings) -> dict[Subject, Difference]:
    """AP difference of every family, by the same group weights for both models. Source: method section 2."""
    return profile_differences([comparison], settings)[0]


def profile_differences(comparisons: Sequence[Comparison], settings: GateSettings) -> list[dict[Subject, Difference]]:
    """`family_differences` of each comparison; all of them share the weights of their groups."""
    rows = [subject_rows(comparison, synthetic=True) for comparison in comparisons]
    questions = [
        _sides(comparison, scores, own)
        for comparison, own in zip(comparisons, rows, strict=True)
        for scores in (comparison.scores_champion, comparison.scores_challenger)
    ]
    drawn = replicate_together(questions, settings.prevalence, settings.replicates, settings.seed)
    values = [
        [average_precision(reals[0], side[0], settings.prevalence) for side in families]
        for reals, families in questions
    ]
    found = []
    for number, (comparison, own) in enumerate(zip(comparisons, rows, strict=True)):
        before, after = 2 * number, 2 * number + 1
        gained = drawn[after] - drawn[before]
        found.append(
            {
                subject: Difference(
                    profile=comparison.profile,
                    subject=subject,
                    champion=values[before][k],
                    challenger=values[after][k],
                    value=values[after][k] - values[before][k],
                    standard_error=float(gained[k].std(ddof=1)),
                    n=index.size,
                    groups=len({comparison.groups[i] for i in index.tolist()}),
                    replicates=gained[k],
                )
                for k, (subject, index) in enumerate(own.items())
            }
        )
    return found


def _sides(
    comparison: Comparison, scores: NDArray[np.float64], rows: dict[Subject, NDArray[np.intp]]
) -> tuple[Side, list[Side]]:
    """One model's reals, and its fakes of each family, with their groups."""
    real = np.flatnonzero(~comparison.synthetic)
    sides: list[Side] = [(scores[own], [comparison.groups[i] for i in own.tolist()]) for own in (real, *rows.values())]
    return sides[0], sides[1:]


def mean_difference(differences: Sequence[Difference]) -> Difference:
    """The unweighted mean of several differences of one profile.

    Without replicates the standard errors are averaged: the most that any correlation between them allows.
    """
    drawn = [d.replicates for d in differences if d.replicates is not None]
    replicates = np.mean(drawn, axis=0) if len(drawn) == len(differences) else None
    error = np.mean([d.standard_error for d in differences]) if replicates is None else replicates.std(ddof=1)
    return Difference(
        profile=differences[0].profile,
        subject=None,
        champion=float(np.mean([d.champion for d in differences])),
        challenger=float(np.mean([d.challenger for d in differences])),
        value=float(np.mean([d.value for d in differences])),
        standard_error=float(error),
        n=sum(d.n for d in differences),
        groups=sum(d.groups for d in differences) - len(differences) + 1,
        replicates=replicates,
    )


def rate_difference(
    profile: Profile,
    subject: Subject | None,
    champion: NDArray[np.bool_],
    challenger: NDArray[np.bool_],
    groups: Sequence[str],
) -> Difference:
    """Increase of a false-positive rate on the same reals.

    champion, challenger: bool (n,) flagged. The standard error is that over groups, and never less than with
    one more changed group than was seen: no disagreement in 50 pictures does not prove that there are none.
    """
    change = challenger.astype(np.float64) - champion.astype(np.float64)
    n = change.size
    spread = sum_by_group(change - change.mean(), groups)
    changed = np.count_nonzero(sum_by_group(change, groups))
    floor = np.sqrt(changed + 1.0) / spread.size
    return Difference(
        profile=profile,
        subject=subject,
        champion=float(champion.mean()),
        challenger=float(challenger.mean()),
        value=float(change.mean()),
        standard_error=float(max(np.sqrt(np.square(spread).sum()) / n, floor)),
        n=n,
        groups=spread.size,
    )


def sign_test(champion: NDArray[np.bool_], challenger: NDArray[np.bool_], groups: Sequence[str]) -> float:
    """Exact p-value of "the challenger does not flag more": the sign test over the groups that changed."""
    net = sum_by_group(challenger.astype(np.float64) - champion.astype(np.float64), groups)
    more, fewer = int(np.count_nonzero(net > 0.0)), int(np.count_nonzero(net < 0.0))
    return float(bdtrc(more - 1, more + fewer, 0.5))


def holm(p_values: Sequence[float], alpha: float) -> list[tuple[float, bool]]:
    """Holm's step-down procedure: the level each hypothesis was held to, and whether it is rejected.

    >>> holm([0.04, 0.001, 0.5], 0.05)
    [(0.025, False), (0.016666666666666666, True), (0.05, False)]
    """
    found = [(alpha, False)] * len(p_values)
    standing = True
    for step, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        level = alpha / (len(p_values) - step)
        standing = standing and p_values[k] <= level
        found[k] = (level, standing)
    return found


def subject_rows(comparison: Comparison, synthetic: bool) -> dict[Subject, NDArray[np.intp]]:
    """Row numbers of each family (or each real source), by name."""
    gathered: dict[Subject, list[int]] = {}
    for row in np.flatnonzero(comparison.synthetic == synthetic).tolist():
        gathered.setdefault(comparison.subjects[row], []).append(row)
    return {subject: np.asarray(gathered[subject], dtype=np.intp) for subject in sorted(gathered)}
