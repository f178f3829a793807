"""What a challenger has to show, and what is watched afterwards."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from daemon.settings.section import Section
from daemon.units import Duration, parse_duration


class GateSettings(Section):
    alpha: float = Field(0.01, gt=0, lt=0.5)
    family_margin: float = Field(0.02, gt=0)
    mean_margin: float = Field(0.01, gt=0)
    false_positive_margin: float = Field(0.02, gt=0)
    min_groups: int = Field(10, ge=2)
    replicates: int = Field(1000, ge=100)
    unresolved: Literal["hold", "watch"] = "watch"


class PromotionSettings(Section):
    mode: Literal["auto", "shadow", "manual"] = "auto"
    shadow_samples: int = Field(200, ge=1)
    shadow_for: Duration = parse_duration("3d")
    watch_for: Duration = parse_duration("14d")
    watch_samples: int = Field(500, ge=10)
    watch_alpha: float = Field(0.01, gt=0, lt=0.5)
    flapping_returns: int = Field(2, ge=1)
    flapping_window: Duration = parse_duration("7d")


class RecoverySettings(Section):
    min_samples: int = Field(10, ge=2)
    ap: float = Field(0.90, gt=0.5, lt=1)
