"""How families and real sources are measured, and when that is an alarm."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from daemon.settings.section import Section
from daemon.units import Duration, format_duration, parse_duration


class ThresholdSettings(Section):
    alpha: float = Field(0.05, gt=0, lt=0.5)


class WindowSettings(Section):
    last: tuple[Annotated[int, Field(ge=10)], ...] = (200,)
    within: tuple[Duration, ...] = (parse_duration("30d"),)

    @model_validator(mode="after")
    def _every_window_has_a_name_of_its_own(self) -> WindowSettings:
        names = [*map(str, self.last), *map(format_duration, self.within)]
        if len(set(names)) < len(names):
            raise ValueError("a window is named twice")
        if any(age.total_seconds() <= 0 for age in self.within):
            raise ValueError("a window needs a length, for example 30d")
        return self


class EvaluateSettings(Section):
    prevalence: float = Field(0.5, gt=0, lt=1)
    min_samples: int = Field(10, ge=2)
    min_samples_worst: int = Field(25, ge=2)
    last_per_subject: int = Field(1000, ge=50)
    windows: WindowSettings = WindowSettings()


class ShortcutAuditSettings(Section):
    threshold: float = Field(0.9, gt=0.5, lt=1)
    action: Literal["laundered_only", "report"] = "report"
    min_groups: int = Field(10, ge=5)
    most_pictures: int = Field(200, ge=50)


class AlarmSettings(Section):
    auroc_floor: float = Field(0.90, gt=0.5, lt=1)
    recall_floor: float = Field(0.50, gt=0, lt=1)
    false_positive_ceiling: float = Field(0.20, gt=0, lt=1)
    detector: Literal["e_process", "adwin", "page_hinkley", "hddm_a", "kswin"] = "e_process"
    false_alarms_per_30_days: float = Field(1.0, gt=0)
    new_tests_per_30_days: float = Field(50, gt=0)
    known_votes_per_30_days: float = Field(1000, gt=0)
    novelty_min_batch: int = Field(10, ge=5)
    family_stale_after: Duration | None = parse_duration("90d")
    adapter_stale_after: Duration | None = parse_duration("14d")
    insufficient_after: Duration | None = parse_duration("14d")
