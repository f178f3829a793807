"""Where state is kept, time, logs, schedule, reports."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import SecretStr, field_validator, model_validator

from daemon.settings.section import Section
from daemon.units import Duration, parse_duration


class StoreSettings(Section):
    directory: Path = Path("state")
    database_url: SecretStr | None = None


class ClockSettings(Section):
    kind: Literal["wall", "simulated"] = "wall"
    start: datetime | None = None
    step: Duration = parse_duration("1d")

    @model_validator(mode="after")
    def _simulated_time_starts_somewhere(self) -> ClockSettings:
        if self.kind == "simulated" and self.start is None:
            raise ValueError("a simulated clock needs `start`, for example 2026-01-01T00:00:00Z")
        if self.start is not None and self.start.tzinfo is None:
            raise ValueError("`start` needs a time zone, for example 2026-01-01T00:00:00Z")
        return self


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class ScheduleSettings(Section):
    cycle_every: Duration = parse_duration("1m")
    lease: Duration = parse_duration("2m")
    drain_deadline: Duration = parse_duration("20s")


class ReportSettings(Section):
    every: Duration | None = None
    form: Literal["html", "md"] = "html"

    @field_validator("every")
    @classmethod
    def _some_time_lies_between(cls, every: timedelta | None) -> timedelta | None:
        if every is not None and every < timedelta(minutes=1):
            raise ValueError("reports come at most once a minute; for example 7d, or null for none")
        return every


class ExplainSettings(Section):
    vocabulary: Path | None = None
