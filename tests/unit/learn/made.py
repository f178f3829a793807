"""Verdicts, versions and rows as the registry and the store would give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.learn.attempts import Attempt, history
from daemon.model import FamilyRow, Subject, VersionRecord

AT = datetime(2030, 1, 1, tzinfo=UTC)
CHAMPION = "v1"
NEW, OLD = Subject("family", "new"), Subject("family", "old")
PROVED: dict[str, object] = {"decision": "reject", "harm": True}
POSSIBLE: dict[str, object] = {"decision": "hold", "harm": True}
NO_GAIN: dict[str, object] = {"decision": "hold", "harm": False}
STATES = {"hold": "held", "reject": "rejected", "promote": "waiting"}


def versions(
    verdicts: Iterable[Mapping[str, object]], groups: int | Sequence[int] = 20, parent: str = CHAMPION
) -> list[VersionRecord]:
    """One challenger to the champion for each verdict, an hour apart."""
    made = []
    for i, verdict in enumerate(verdicts):
        own = groups if isinstance(groups, int) else groups[i]
        at = AT + timedelta(hours=i)
        stated = {**verdict, "trigger_groups": {"new": own}}
        state = str(verdict.get("state", STATES[str(verdict["decision"])]))
        made.append(VersionRecord(f"c{i}", parent, "f" * 64, "closed_form", 1, state, at, "m", "t", stated))
    return made


def attempts(verdicts: Iterable[Mapping[str, object]], groups: int | Sequence[int] = 20) -> tuple[Attempt, ...]:
    """What `history` makes of them."""
    return history(versions(verdicts, groups), NEW)


def row(subject: Subject = NEW, groups: int = 20, **changes: Any) -> FamilyRow:
    """A family, or a real source, of one trusted source."""
    values: dict[str, Any] = {"trusted_sources": 1, **changes}
    return FamilyRow(subject, None, None, "trusted", AT, AT, groups, groups, 4, **values)
