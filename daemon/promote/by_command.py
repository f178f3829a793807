"""What the `models` commands do to a version; imports nothing that computes, for an operator waits for a rollback."""

from __future__ import annotations

from typing import Any

from daemon.app import deciding
from daemon.promote.deciding import approve, promote_by_hand, reject_by_hand, roll_back
from daemon.registry.naming import version_named
from daemon.runs import tick
from daemon.settings import Settings


def promote_version(
    settings: Settings, version: str, actor: str, reason: str, *, with_forgotten: bool = False
) -> dict[str, Any]:
    """A person's promotion: one transaction, so it needs no lock and may happen beside a running service."""
    with deciding(settings) as context:
        name = version_named(context.registry, version).id
        row = promote_by_hand(context, name, actor, reason, with_forgotten=with_forgotten)
    return {"version": row.version, "previous": row.previous, "audit": row.number, "reason": row.reason}


def decide_version(settings: Settings, version: str, approved: bool, actor: str, reason: str) -> dict[str, Any]:
    """A person's word on a version that waits; as `promote_version`, and a running service measures it at once."""
    with deciding(settings) as context:
        name = version_named(context.registry, version).id
        row = (approve if approved else reject_by_hand)(context, name, actor, reason)
        tick(context, "cycle")
    return {"version": row.version, "previous": row.previous, "audit": row.number, "reason": row.reason}


def roll_back_version(settings: Settings, actor: str, reason: str, *, with_forgotten: bool = False) -> dict[str, Any]:
    """Back to the previous champion; as `promote_version`."""
    with deciding(settings) as context:
        row = roll_back(context, actor, reason, with_forgotten=with_forgotten)
    return {"version": row.version, "previous": row.previous, "audit": row.number, "reason": row.reason}
