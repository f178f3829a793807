"""What the audit says of the versions: which is in force, which was before it, and what became of each.

Every change of a version's state, its verdict and the aliases is one transaction with one audit row (`store.registry`),
so the rows alone say what the tables must hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Text, select, type_coerce

from daemon.model import AuditRow
from store import tables as t

IN_FORCE = ("promote", "rollback")  # only these carry a version into force
_STATES = {
    **dict.fromkeys(IN_FORCE, "promoted"),
    "hold": "held",
    "reject": "rejected",
    "wait": "waiting",
    "shadow": "shadow",
}


@dataclass
class Decisions:
    """What follows from the rows."""

    previous: str | None = None  # that a rollback leads to
    states: dict[str, str] = field(default_factory=dict)  # of the versions that something was decided of
    verdicts: dict[str, Any] = field(default_factory=dict)  # of those that the gate judged
    unknown: set[str] = field(default_factory=set)  # versions with an action of another release: nothing follows


def decisions(rows: Iterable[AuditRow]) -> Decisions:
    """Replay the rows, oldest first."""
    found = Decisions()
    for row in rows:
        if row.version is None:
            continue
        if row.action in IN_FORCE:
            found.previous = row.previous or found.previous
        if row.action not in _STATES:
            found.unknown.add(row.version)
            continue
        found.states[row.version] = _STATES[row.action]
        if "verdict" in row.payload:
            found.verdicts[row.version] = row.payload["verdict"]
    return found


def champion_differing(connection: Connection, rows: Sequence[AuditRow]) -> Iterator[str]:
    """Whether another version is in force than the rows say."""
    promoted = [row.version for row in rows if row.action in IN_FORCE]
    last, found = promoted[-1] if promoted else None, _alias(connection, "champion")
    if last != found:
        yield f"the audit's last promotion is {last or 'none'}, the champion {found or 'none'}"


def differing(connection: Connection, rows: Sequence[AuditRow]) -> Iterator[str]:
    """What else the tables say otherwise than the rows, a line for each; the same snapshot gave the rows."""
    said, previous, v = decisions(rows), _alias(connection, "previous"), t.version.c
    if previous != said.previous:
        yield f"a rollback leads to {previous or 'none'}, by the audit it is {said.previous or 'none'}"
    # The verdict as text: one that cannot be read is a difference, too.
    versions = connection.execute(select(v.id, v.state, type_coerce(v.verdict, Text)).order_by(v.number)).all()
    for version, state, verdict in versions:
        if version not in said.unknown:
            yield from _version(said, version, state, verdict)
    yield from (f"the audit speaks of {one}, which is not there" for one in sorted({*said.states} - _ids(versions)))


def _alias(connection: Connection, name: str) -> str | None:
    return connection.execute(select(t.alias.c.version).where(t.alias.c.name == name)).scalar()


def _version(said: Decisions, version: str, state: str, verdict: str | None) -> Iterator[str]:
    expected = said.states.get(version, "challenger")
    if state != expected:
        yield f"{version} is {state}, the audit says {expected}"
    if not _same(verdict, said.verdicts.get(version)):
        yield f"the verdict on {version} is not the one in the audit"


def _same(text: str | None, value: Mapping[str, Any] | None) -> bool:
    try:
        return (None if text is None else json.loads(text)) == value
    except (RecursionError, TypeError, ValueError):
        return False


def _ids(versions: Iterable[Any]) -> set[str]:
    return {row[0] for row in versions}
