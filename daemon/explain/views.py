"""What `explain` answers, for the command, the API and the page alike."""

from __future__ import annotations

from typing import Literal

from daemon.views import ScoreView, View

Method = Literal["concept_model", "integrated_gradients"]


class ContributionView(View):
    kind: Literal["concept", "features"]
    name: str
    label: str  # in words
    value: float  # added to the logit; > 0: speaks for synthetic
    towards: str | None = None  # a concept: the pole that the picture lies nearer to than the reference does
    cosine: float | None = None  # a concept: of picture and direction
    gate: float | None = None  # a concept of the concept model: how far it is switched on, 0 to 1


class ExplanationView(View):
    """The logit taken apart: `baseline` + all contributions + `remainder` = logit."""

    method: Method
    baseline: float  # the head's own logit of the reference
    reference: str  # what contributions are counted from
    contributions: list[ContributionView]  # the largest first
    remainder: float  # what no concept explains; of features alone, the error of the average over the way
    explained: float | None  # concepts beside a head that is no concept model: share of its variation they follow
    notes: list[str]


class ExplainedScoreView(ScoreView):
    """`POST /v1/score?explain=true` and one picture of `sidwatch explain`."""

    explanation: ExplanationView


class EffectView(View):
    kind: Literal["concept", "features"]
    name: str
    label: str
    effect: float  # in spreads of what is compared with; features: >= 0; a concept: > 0 towards its positive pole
    lower: float
    upper: float
    proved: bool  # the interval leaves out 0
    approximate: bool
    towards: str | None = None


class ComparisonView(View):
    against: Literal["reals", "known_families"]
    subjects: list[str]
    pictures: int
    effects: list[EffectView]  # the largest first


class SeenView(View):
    """What the champion makes of the family's difference to the reals."""

    auroc: float  # over pairs of one of its pictures and one real, real sources weighing the same
    recall: float  # share of its pictures above the threshold
    share: float | None  # of the squared shift that lies in what the head looks at; None: no shift is proved


class FamilyProfileView(View):
    comparisons: list[ComparisonView]
    seen: SeenView | None  # None: the family's vectors are gone
    summary: list[str]  # the same in words


class FamilyExplanationView(View):
    """`sidwatch explain --family F`."""

    family: str
    version: str
    known: bool | None  # whether the champion has learned it; None: the champion does not say
    pictures: int
    groups: int
    level: float  # of the intervals, each by itself
    from_statistics: bool  # the vectors are gone: computed from group statistics
    resembles: str | None  # the family that its pictures fire most
    resembles_share: float | None
    profiles: dict[str, FamilyProfileView]  # empty: too few pictures
    notes: list[str]
