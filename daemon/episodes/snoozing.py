"""How long a person may be told nothing of an episode."""

from __future__ import annotations

from datetime import datetime, timedelta

from daemon.errors import BadInputError

LONGEST_SNOOZE = timedelta(days=365)


def snoozed_until(now: datetime, length: timedelta, what: str = "snooze") -> datetime:
    """The end of a snooze, or of what else a person puts off.

    Raises BadInputError when it is none, or longer than anybody means.
    """
    if not timedelta(0) < length <= LONGEST_SNOOZE:
        raise BadInputError(f"a {what} needs a length: longer than nothing and a year at most, for example 3d")
    return now + length
