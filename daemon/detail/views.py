"""What the page and the API show in detail; each is computed when it is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from daemon.views import EpisodeView, VersionView, View


class PointView(View):
    """One family as the champion of that time was measured on it."""

    at: datetime
    version: str
    ap: float | None  # None below the sample floor
    lower: float | None
    upper: float | None
    recall: float | None
    n: int


class MeanPointView(View):
    """All families together at one time."""

    at: datetime
    version: str
    mean_ap: float
    worst_ap: float
    families: int


class ReignView(View):
    """When a version came into force."""

    at: datetime
    version: str
    action: str  # promote, rollback


class HistoryView(View):
    """Figures over time, raw, on pictures that the champion of the time had not learned."""

    mean: list[MeanPointView]
    reigns: list[ReignView]


class FamilyHistoryView(View):
    family: str
    points: list[PointView]
    reigns: list[ReignView]


class HistogramView(View):
    """How the champion scores a family and the real pictures."""

    edges: list[float]  # (bins + 1,) logits
    family: list[float]  # (bins,) share of the family's pictures
    reals: list[float]  # (bins,) share of the real pictures
    pictures: int  # of the family
    real_pictures: int


class PictureView(View):
    sha256: str
    logit: float  # by a head that has not learned the picture


class NeighbourView(View):
    family: str
    pictures: int  # how many of this family's pictures resemble that one most
    share: float


class FamilyScoresView(View):
    """What the champion makes of a family's pictures."""

    family: str
    version: str
    threshold: float | None  # on the logit; None: infinite
    histogram: HistogramView | None  # None: nothing to compare
    most_synthetic: list[PictureView]
    least_synthetic: list[PictureView]
    neighbours: list[NeighbourView]  # nearest first; empty: the head knows no groups, or there is no other family


class EvidenceView(View):
    """The running test of a family, counted again vote by vote."""

    family: str
    version: str
    test: Literal["floor", "baseline"]
    log10_evidence: list[float]  # after each vote; the last one is what the service has stored
    alarm_log10: float


class CheckView(View):
    """One question of the gate."""

    name: str
    profile: str
    subject: str
    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    n: int
    outcome: str


class ChangeView(View):
    key: str
    before: Any
    after: Any


class DifferenceView(View):
    """What sets a version apart from the one that it was made to follow."""

    parent: str
    values: list[ChangeView]
    groups: list[ChangeView]
    figures: list[ChangeView]


class VersionDetailView(View):
    version: VersionView
    decision: str | None  # of the gate: promote, hold, reject; None: it has not judged
    reason: str
    checks: list[CheckView]
    card: str  # Markdown
    difference: DifferenceView | None  # None: it follows nothing, or its parent's files are damaged
    notes: list[str]


class EntryView(View):
    """One line of a timeline."""

    at: datetime
    what: str
    text: str
    version: str | None


class TestView(View):
    version: str
    log10_evidence: float
    log10_alarm: float
    votes: int
    restarts: int
    __test__ = False  # not a pytest class


class EpisodeDetailView(View):
    episode: EpisodeView
    timeline: list[EntryView]
    tests: list[TestView]


class ClaimView(View):
    adapter: str
    uri: str
    label: str | None
    family: str | None
    source: str


class QuarantinedView(View):
    """A sample that is set apart, and what each delivery says of it."""

    sha256: str
    reason: str
    detail: str
    since: datetime
    has_picture: bool
    claims: list[ClaimView]


class QuarantineView(View):
    samples: list[QuarantinedView]
    total: int
