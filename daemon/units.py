"""Durations and sizes as people write them in config.yaml: `30s`, `5m`, `6GiB`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_DURATION = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")


def parse_duration(value: object) -> timedelta:
    """`90s`, `1.5h`, `250ms` -> timedelta; a number without a unit is refused, for nobody knows what it means.

    >>> parse_duration("1.5h")
    datetime.timedelta(seconds=5400)
    """
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=_parse(value, _DURATION, "a duration such as 30s, 5m, 2h or 1d"))
    except OverflowError as error:
        raise ValueError(f"{value!r} is too long a time") from error


def parse_size(value: object) -> int:
    """`6GiB`, `20MB`, `512KiB` -> bytes.

    >>> parse_size("2KiB")
    2048
    """
    if isinstance(value, int) and not isinstance(value, bool) and value == 0:
        return 0
    try:
        return int(_parse(value, _SIZE, "a size such as 20MB, 512KiB or 6GiB"))
    except OverflowError as error:
        raise ValueError(f"{value!r} is too large a size") from error


def _parse(value: object, units: dict[str, float] | dict[str, int], wanted: str) -> float:
    match = _NUMBER_AND_UNIT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        raise ValueError(f"expected {wanted}, got {value!r}")
    return float(match[1]) * units[match[2]]


def format_duration(value: timedelta) -> str:
    """The shortest exact way to write a duration.

    >>> format_duration(timedelta(seconds=5400))
    '90m'
    """
    seconds = value.total_seconds()
    for unit in ("d", "h", "m", "s"):
        count = seconds / _DURATION[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds * 1000:g}ms"


def format_size(value: int) -> str:
    """The largest binary unit that divides the size.

    >>> format_size(6 * 2**30)
    '6GiB'
    """
    for unit in ("GiB", "MiB", "KiB"):
        if value and value % _SIZE[unit] == 0:
            return f"{value // _SIZE[unit]}{unit}"
    return f"{value}B"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="always")]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size, when_used="always")]
