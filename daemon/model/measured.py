"""Scores and figures of versions, tests and states of families and real sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from daemon.model.vocabulary import Profile, Subject, Trust

REPLAY = -1  # as a test's last score id: what it has seen was labelled otherwise, so it counts all scores anew


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One prequential score with what the sequential tests need to know about its sample."""

    score_id: int
    sample_id: int
    subject: Subject
    group: str
    logit: float
    learned: bool  # the scoring version had learned the sample: says nothing new
    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """A measured figure of one version on one subject, one profile, one window."""

    version: str
    subject: Subject
    profile: Profile
    window: str  # held_out, left_out, prequential, or a sliding one such as last_200, prequential_last_30d
    at: datetime
    n: int
    groups: int
    ap: float | None = None  # families; None below the sample floor
    ap_lower: float | None = None
    ap_upper: float | None = None
    approximate: bool = False  # the AP interval is approximate (few samples)
    auroc: float | None = None
    auroc_lower: float | None = None
    auroc_upper: float | None = None
    recall: float | None = None
    recall_lower: float | None = None
    recall_upper: float | None = None
    false_positive_rate: float | None = None  # real sources
    false_positive_lower: float | None = None
    false_positive_upper: float | None = None


@dataclass(frozen=True, slots=True)
class TestState:
    """The running sequential test of one subject against one version; `state` is numbers, as JSON."""

    version: str
    subject: Subject
    state: dict[str, object]
    log10_evidence: float
    log10_alarm: float  # the evidence at which it alarms
    votes: int
    last_score_id: int
    first_vote_at: datetime | None
    alarmed_at: datetime | None
    restarts: int = 0  # how often a person ended it, so that it began anew
    __test__ = False  # not a pytest class


@dataclass(frozen=True, slots=True)
class SubjectState:
    """The state that a family or real source was last seen in."""

    subject: Subject
    state: str  # "" once nothing is left of the subject: should it come again, it is new
    since: datetime
    number: int  # how many states it has had


@dataclass(frozen=True, slots=True)
class UnlabelledRow:
    """A sample that nobody has called real and that belongs to no family."""

    sample_id: int
    source: str
    group: str


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """A family (or a real source) as the store knows it."""

    subject: Subject
    kind: str | None
    released: str | None
    trust: Trust
    first_seen: datetime
    last_sample_at: datetime
    samples: int  # active, labelled
    groups: int
    holdout_groups: int
    trusted_sources: int = 0  # sources that delivered it, by their trust
    known_sources: int = 0
    anchor: bool = False  # a family that no head may learn from: it shows what a new version breaks
    retired: bool = False  # a family that is no longer measured, tested or gated

    @property
    def may_trigger(self) -> bool:
        """Whether it may ask for a promotion: one trusted source, or two independent known ones."""
        return not self.anchor and not self.retired and (self.trusted_sources >= 1 or self.known_sources >= 2)


class FamilyFlags(NamedTuple):
    """What people decided of a family."""

    anchor: bool  # as in `FamilyRow`
    retired: bool


class PastFigure(NamedTuple):
    """What a version's measurement said of one family, at one time."""

    version: str
    family: str
    at: datetime
    n: int
    ap: float | None  # None below the sample floor
    ap_lower: float | None
    ap_upper: float | None
    recall: float | None


class PastMean(NamedTuple):
    """What a version's measurement said of all families that had a figure, at one time."""

    version: str
    at: datetime
    mean_ap: float
    worst_ap: float
    families: int
