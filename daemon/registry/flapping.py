"""Flapping: versions that come into force by themselves and go again. It stops automatic promotion."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from daemon.model import AuditRow

WATCH = "watch"  # the audit's actor of what came back by itself


def flapping(audit: Sequence[AuditRow], now: datetime, returns: int, within: timedelta) -> str | None:
    """Why promotion is no longer automatic; None: it is.

    That many returns by themselves within the time, none of them before a person last approved or promoted a version,
    or rolled back: a person has looked at it then.
    """
    count = 0
    for row in reversed(audit):
        if row.action in ("promote", "rollback") and (row.payload.get("approved") or row.actor not in ("gate", WATCH)):
            break
        if row.action == "rollback" and row.actor == WATCH and now - row.at <= within:
            count += 1
    if count < returns:
        return None
    days = within.total_seconds() / 86400
    return f"{count} promotions were taken back within {days:g} days; until a person approves one, none is automatic"
