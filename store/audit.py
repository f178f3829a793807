"""The append-only audit: each row's hash covers the row and the hash before it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select

from daemon.errors import ConfigurationError
from daemon.model import AuditRow
from store import tables as t
from store.types import canonical_json

GENESIS = "0" * 64  # what the first row has for the hash before it


def hash_of(row: AuditRow) -> str:
    """sha256 over the canonical JSON of everything in the row but its own hash."""
    content = {
        "number": row.number,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": row.actor,
        "action": row.action,
        "version": row.version,
        "previous": row.previous,
        "reason": row.reason,
        "payload": row.payload,
        "previous_hash": row.previous_hash,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def append(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    version: str | None,
    previous: str | None,
    reason: str,
    payload: Mapping[str, object],
) -> AuditRow:
    """Add one link in the caller's transaction."""
    a = t.audit.c
    last = connection.execute(select(a.number, a.hash).order_by(a.number.desc()).limit(1)).first()
    row = AuditRow(
        number=1 if last is None else last.number + 1,
        at=at,
        actor=actor,
        action=action,
        version=version,
        previous=previous,
        reason=reason,
        payload=dict(payload),
        previous_hash=GENESIS if last is None else last.hash,
        hash="",
    )
    row = replace(row, hash=hash_of(row))
    connection.execute(insert(t.audit).values({name: getattr(row, name) for name in AuditRow.__slots__}))
    return row


def read(connection: Connection, actions: Collection[str] | None = None, after: int = 0) -> list[AuditRow]:
    """The chain, oldest first: the whole of it, or the rows of some actions, or those after a number.

    Raises ConfigurationError when a row cannot be read.
    """
    a = t.audit.c
    wanted = a.number > after
    if actions is not None:
        wanted = and_(wanted, a.action.in_(sorted(actions)))
    try:
        return _rows(connection.execute(select(t.audit).where(wanted).order_by(a.number)).mappings())
    except ConfigurationError:  # it does not say which row
        for number in connection.execute(select(a.number).where(wanted).order_by(a.number)).scalars().all():
            try:
                _rows(connection.execute(select(t.audit).where(a.number == number)).mappings())
            except ConfigurationError as error:
                raise ConfigurationError(f"audit row {number} cannot be read: {error}") from error
        raise


def _rows(found: Iterable[Mapping[Any, Any]]) -> list[AuditRow]:
    return [AuditRow(**{name: row[name] for name in AuditRow.__slots__}) for row in found]


def counts(connection: Connection) -> dict[str, int]:
    """Action -> how many rows about a version have it."""
    a = t.audit.c
    query = select(a.action, func.count()).where(a.version.is_not(None)).group_by(a.action)
    return {row[0]: row[1] for row in connection.execute(query)}


def verify(rows: Sequence[AuditRow]) -> str | None:
    """What is wrong with the chain, naming the first row; None when it holds."""
    previous = GENESIS
    for number, row in enumerate(rows, start=1):
        if row.number != number:
            return f"row {number} is missing"
        if row.previous_hash != previous:
            return f"row {number} does not follow row {number - 1}"
        if not _is_whole(row):
            return f"row {number} was changed"
        previous = row.hash
    return None


def _is_whole(row: AuditRow) -> bool:
    try:
        return row.hash == hash_of(row) and isinstance(row.payload, dict)
    except (AttributeError, RecursionError, TypeError, ValueError):  # what no row that was written here holds
        return False
