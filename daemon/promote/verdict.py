"""What the gate answers, with every number behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from daemon.model import Profile, Subject

Decision = Literal["promote", "hold", "reject"]
Outcome = Literal["superior", "not_superior", "non_inferior", "worse", "undecided", "passed", "failed"]
CheckName = Literal[
    "trigger_mean",  # AP gain, mean over the triggers
    "trigger",  # AP gain of one trigger (for a real source: drop of its false-positive rate)
    "family",  # AP difference of one family
    "macro_mean",  # mean AP difference over the families that did not trigger
    "false_positive_rate",  # increase, all reals together
    "source",  # increase of the false-positive rate of one real source
    "left_out_rate",  # as false_positive_rate, each source under a head solved without it
    "left_out_source",  # as source, under a head solved without it
    "recall",  # change of the share of fakes that are called synthetic, each model at its own threshold
    "calibration",  # increase of the balanced Brier score
    "better_than_chance",  # first champion: AP against the prevalence
    "breadth",  # first champion: families and real sources measured
]


@dataclass(frozen=True, slots=True)
class Check:
    """One question of the gate and its numbers."""

    name: CheckName
    profile: Profile
    subject: Subject | None  # None: over many subjects
    champion: float | None  # None for a first champion
    challenger: float
    difference: float  # challenger - champion; for a trigger: the gain
    lower: float  # one-sided bounds of the difference; each at `alpha` or at the bound level
    upper: float
    alpha: float  # level at which the outcome was decided
    n: int  # samples behind it
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger may take the champion's place."""

    decision: Decision
    reason: str  # one line with the numbers that decided
    checks: tuple[Check, ...]
    learned: tuple[Subject, ...] = ()  # triggers proved better one by one; filled for `promote` only
    harm: bool = False  # it stays out for what it does to others: harm is proved, or not excluded

    def to_dict(self) -> dict[str, Any]:
        """A mapping that JSON can write; a bound without limit is None there."""
        return {
            "decision": self.decision,
            "reason": self.reason,
            "checks": [_plain(check) for check in self.checks],
            "learned": [list(subject) for subject in self.learned],
            "harm": self.harm,
        }


def _plain(check: Check) -> dict[str, Any]:
    values = asdict(check)
    values["subject"] = None if check.subject is None else list(check.subject)
    infinite = (float("inf"), float("-inf"))
    return {key: None if value in infinite else value for key, value in values.items()}


def first(checks: Iterable[Check], *outcomes: Outcome) -> Check | None:
    """The first check with one of the outcomes, if any."""
    return next((check for check in checks if check.outcome in outcomes), None)
