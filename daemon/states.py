"""What the words mean: state -> the alarm that sets it -> the metric that shows it -> the alert that tells people.

The one table of it. docs/reference-states.md is generated from here; metrics, page and events take their order and
their alerts from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Of = Literal["family", "source", "service"]


@dataclass(frozen=True, slots=True)
class State:
    """One state of a family or a real source, or one alarm about the whole service."""

    of: Of
    name: str
    urgency: int  # 0: somebody should look now; families of equal urgency are told apart by their name
    meaning: str
    alarm: str  # what sets it
    metric: str
    alert: str | None  # the Prometheus alert that fires on it
    calm: bool = False  # a subject that is first seen in it is no news


STATES: Final[tuple[State, ...]] = (
    State(
        "family",
        "inverted",
        0,
        "It evades, and the champion takes it for more real than the real pictures: the upper end of its AUROC is "
        "below .45.",
        "the e-process against the floors, as for `evading`",
        'sidwatch_family_state{state="inverted"}',
        "GeneratorFamilyInverted",
    ),
    State(
        "family",
        "evading",
        0,
        "The champion is proved to miss it: its AUROC or its recall at the threshold lies below its floor.",
        "the e-process against the floors (`alarms.auroc_floor`, `alarms.recall_floor`)",
        'sidwatch_family_state{state="evading"}',
        "GeneratorFamilyEvadesDetection",
    ),
    State(
        "family",
        "degraded",
        1,
        "It is proved to do worse than its own baseline, which does not say that it evades.",
        "the e-CUSUM against the family's own baseline",
        'sidwatch_family_state{state="degraded"}',
        "GeneratorFamilyDegraded",
    ),
    State(
        "family",
        "insufficient",
        2,
        "Fewer pictures than `evaluate.min_samples`: it has no figures.",
        "none",
        'sidwatch_family_state{state="insufficient"}',
        None,
        calm=True,
    ),
    State(
        "family",
        "detected",
        3,
        "Measured, and nothing is proved against it.",
        "none",
        'sidwatch_family_state{state="detected"}',
        None,
        calm=True,
    ),
    State(
        "source",
        "misjudged",
        0,
        "The champion is proved to call its photographs synthetic more often than the ceiling allows.",
        "the e-process against the ceiling (`alarms.false_positive_ceiling`)",
        'sidwatch_real_source_state{state="misjudged"}',
        "MisjudgedRealSource",
    ),
    State(
        "source",
        "insufficient",
        2,
        "Fewer pictures than `evaluate.min_samples`.",
        "none",
        'sidwatch_real_source_state{state="insufficient"}',
        None,
        calm=True,
    ),
    State(
        "source",
        "ok",
        3,
        "Measured, and nothing is proved against it.",
        "none",
        'sidwatch_real_source_state{state="ok"}',
        None,
        calm=True,
    ),
    State(
        "service",
        "real_pool_shift",
        0,
        "Fresh trusted photographs score elsewhere than the frozen reference pool.",
        "a two-sided betting test of placement values around .5",
        'sidwatch_alarms_raised{alarm="real_pool_shift"}',
        "RealPoolShift",
    ),
    State(
        "service",
        "novel_family",
        0,
        "A batch of pictures is unlike every known family and real source.",
        "a batch test (T-squared of its mean) against every known group",
        'sidwatch_alarms_raised{alarm="novel_family"}',
        "NovelGeneratorFamily",
    ),
    State(
        "service",
        "pipeline_fault",
        0,
        "Many families moved together against a frozen champion: a fault of labels or pipeline, not of a generator.",
        "a test over all families at once",
        'sidwatch_alarms_raised{alarm="pipeline_fault"}',
        "PipelineFault",
    ),
    State(
        "service",
        "not_learned",
        0,
        "A family evades, or a real source is misjudged, and the policy has nothing left to try; its text says what "
        "is missing.",
        "every attempt of `learn.policy` failed, or too few samples or sources allow one",
        'sidwatch_alarms_raised{alarm="not_learned"}',
        "FamilyNotLearned",
    ),
    State(
        "service",
        "stale",
        1,
        "A family or an adapter has delivered nothing for longer than configured.",
        "a fact, not a proof",
        'sidwatch_alarms_raised{alarm="stale"}',
        "SamplesStale",
    ),
    State(
        "service",
        "insufficient",
        2,
        "A family has had too few pictures to be measured for longer than configured.",
        "a fact, not a proof",
        'sidwatch_alarms_raised{alarm="insufficient"}',
        "GeneratorFamilyInsufficient",
    ),
)

_BY_NAME: Final = {(state.of, state.name): state for state in STATES}


def state_of(of: Of, name: str) -> State:
    """The row of a state. Raises KeyError for one that the table does not have."""
    return _BY_NAME[of, name]
