"""Heads, learners, and when which of them is tried."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from daemon.settings.section import Section
from daemon.units import Duration, Size, parse_duration, parse_size


class HeadSettings(Section):
    read_out: Literal["mixture", "linear"] = "mixture"
    ridge: float = Field(0.0045, gt=0)
    tau: float = Field(0.06, gt=0)
    source_tau: Annotated[float, Field(gt=0)] | None = 0.045
    profile_shift: float = Field(0.1, ge=0)
    max_units: int = Field(128, ge=1)
    min_group: int = Field(3, ge=2)
    min_form: int = Field(10, ge=2)
    noise_correction: bool = True


class GradientSettings(Section):
    units: int = Field(8, ge=1, le=1024)
    label_smoothing: float = Field(0.1, ge=0, lt=0.5)
    decorrelation: float = Field(0.33, ge=0)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    batch_size: int = Field(64, ge=2)
    max_epochs: int = Field(200, ge=1)
    patience: int = Field(5, ge=1)
    validation: float = Field(0.15, gt=0, lt=0.9)
    seed: int = Field(123, ge=0)
    standardise: bool | None = None


class ProbeSettings(Section):
    c: float = Field(0.2, gt=0)
    max_iterations: int = Field(1000, ge=1)
    standardise: bool | None = None


class ConceptSettings(Section):
    learning_rate: float = Field(1e-3, gt=0)
    gate_factor: float = Field(10.0, gt=0)
    weight_decay: float = Field(1e-5, ge=0)
    batch_size: int = Field(256, ge=2)
    temperature: float = Field(0.1, gt=0)
    sparsity_weight: float = Field(1e-4, ge=0)
    sparsity: float = Field(1e-4, gt=0, lt=1)
    max_epochs: int = Field(200, ge=1)
    patience: int = Field(10, ge=1)
    seed: int = Field(123, ge=0)


Learner = Literal["closed_form", "mixture", "linear", "gradient", "probe", "concept"]
TriggerName = Literal["alarm", "degraded", "misjudged", "named", "real_pool_shift"]


class AttemptSettings(Section):
    learner: Learner
    min_groups: int = Field(10, ge=1)
    min_sources: int = Field(1, ge=1)
    cool_down: Duration = parse_duration("0s")
    at_most: Annotated[int, Field(ge=1)] | None = None


class PolicySettings(Section):
    triggers: tuple[TriggerName, ...] = ("alarm", "degraded", "misjudged", "named", "real_pool_shift")
    attempts: tuple[AttemptSettings, ...] = Field(
        (
            AttemptSettings(learner="closed_form"),
            AttemptSettings(learner="linear"),
            AttemptSettings(learner="gradient", min_groups=30, cool_down=parse_duration("6h"), at_most=3),
        ),
        min_length=1,
    )
    every: Duration | None = None

    @model_validator(mode="after")
    def _every_learner_once(self) -> PolicySettings:
        learners = [attempt.learner for attempt in self.attempts]
        repeated = sorted({learner for learner in learners if learners.count(learner) > 1})
        if repeated:
            raise ValueError(f"attempts: {repeated[0]!r} stands there twice; `at_most` and `cool_down` say how often")
        if self.every is not None and self.every.total_seconds() <= 0:
            raise ValueError("`every` needs a length, for example 30d; null: never")
        return self


class LearnSettings(Section):
    automatic: bool = True
    first_families: int = Field(2, ge=1)
    first_sources: int = Field(2, ge=1)
    first_samples: int = Field(10, ge=5)
    retry_after_groups: int = Field(5, ge=1)
    new_family_weights: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field((1.0, 0.4, 0.15, 0.05), min_length=1)
    policy: PolicySettings = PolicySettings()
    gradient: GradientSettings = GradientSettings()
    probe: ProbeSettings = ProbeSettings()
    concept: ConceptSettings = ConceptSettings()
    known_source_pictures: int = Field(100, ge=1)
    known_source_share: float = Field(0.8, gt=0, lt=1)
    clip_spreads: Annotated[float, Field(ge=3)] | None = 8.0
    left_out_heads: int = Field(20, ge=5)
    deadline: Duration = parse_duration("30m")
    memory_limit: Size = parse_size("4GiB")
