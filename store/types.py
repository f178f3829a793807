"""Column types that SQLite and PostgreSQL share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

from daemon.errors import ConfigurationError

_SHOWN = 60  # characters of a value that does not belong where it is
_TIMES = 4096  # that are kept: pictures come in batches, and those of a batch share their time


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime. SQLite forgets the zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the store takes aware datetimes only")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """Text is read once for each time, not for each row."""
        process = super().result_processor(dialect, coltype)
        if process is None or dialect.name != "sqlite":
            return process

        def checked(value: Any) -> datetime | None:
            try:
                return process(value)
            except (TypeError, ValueError) as error:
                raise _no(value, "a time") from error

        return lru_cache(_TIMES)(checked)


def _no(value: object, what: str) -> ConfigurationError:
    """Somebody wrote over the row: the store itself writes no such value."""
    return ConfigurationError(
        f"the store's database holds {repr(value)[:_SHOWN]} where {what} belongs; restore a backup"
    )


def canonical_json(value: Mapping[str, object]) -> str:
    """The one text of a JSON object: sorted keys, no blanks, no NaN; what is hashed and stored.

    >>> canonical_json({"b": 1, "a": [1.5, None]})
    '{"a":[1.5,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class CanonicalJson(TypeDecorator[dict[str, Any]]):
    """A JSON object as canonical text, so that equal values are equal bytes in every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any] | None:
        if value is None:
            return None
        try:
            loaded: dict[str, Any] = json.loads(value)
        except (RecursionError, TypeError, ValueError) as error:
            raise _no(value, "JSON") from error
        return loaded
