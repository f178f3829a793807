"""Where samples come from, and what is let in."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, model_validator

from daemon.model import Trust
from daemon.settings.section import Section
from daemon.units import Duration, Size, parse_duration, parse_size


def _as_json(options: dict[str, Any]) -> dict[str, Any]:
    """Options go to a child process as JSON. Raises ValueError, naming the one that is nothing that JSON has."""
    due: list[tuple[str, Any]] = list(options.items())
    seen: set[int] = set()  # YAML can make a list that is in itself
    while due:
        name, value = due.pop()
        if isinstance(value, dict | list | tuple):
            if id(value) in seen:
                continue
            seen.add(id(value))
        if isinstance(value, date):  # a datetime too
            raise ValueError(f'{name} is read as a date by YAML; write it in quotes: "{value.isoformat()}"')
        if isinstance(value, dict):
            due += [(f"{name}.{key}", inner) for key, inner in value.items()]
            if not all(isinstance(key, str) for key in value):
                raise ValueError(f"{name} has a key that is no text; write it in quotes")
        elif isinstance(value, list | tuple):
            due += [(f"{name}[{place}]", inner) for place, inner in enumerate(value)]
        elif not (value is None or isinstance(value, str | int | float)) or value != value or value in _INFINITE:
            raise ValueError(f"{name} is {type(value).__name__} {value}; an option is text, a finite number, yes or no")
    json.dumps(options)  # ValueError: one holds itself
    return options


_INFINITE = (float("inf"), float("-inf"))
Options = Annotated[dict[str, Any], AfterValidator(_as_json)]


class AdapterSettings(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$")
    kind: str
    enabled: bool = True
    every: Duration = parse_duration("1h")
    trust: Trust = "known"
    budget: int = Field(1000, ge=1)
    per_day: Annotated[int, Field(ge=1)] | None = None
    deadline: Duration = parse_duration("10m")
    memory_limit: Size = parse_size("2GiB")
    releases_from: str | None = None
    captions: int = Field(0, ge=0, le=20_000)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    options: Options = Field(default_factory=dict)


class FilterSettings(Section):
    name: str
    options: Options = Field(default_factory=dict)


class IntakeSettings(Section):
    max_bytes: Size = parse_size("50MiB")
    max_pixels: int = Field(40_000_000, ge=1)
    min_side: int = Field(64, ge=16)
    near_duplicate_bits: Annotated[int, Field(ge=0, le=12)] | None = 4
    filters: tuple[FilterSettings, ...] = ()
    decoders: int = Field(2, ge=1, le=64)
    deadline: Duration = parse_duration("20s")
    memory_limit: Size = parse_size("1GiB")


class PushSettings(Section):
    trust: Trust = "known"
    per_day: Annotated[int, Field(ge=1)] | None = None
    allowed_hosts: tuple[str, ...] = ()


class FeedbackSettings(Section):
    trust: Trust = "known"


class SplitSettings(Section):
    train: float = Field(0.50, gt=0, lt=1)
    calibration: float = Field(0.15, gt=0, lt=1)
    reference: float = Field(0.15, gt=0, lt=1)
    holdout: float = Field(0.20, gt=0, lt=1)

    @model_validator(mode="after")
    def _sum_is_one(self) -> SplitSettings:
        total = self.train + self.calibration + self.reference + self.holdout
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the four shares must add up to 1, not {total:g}")
        return self
