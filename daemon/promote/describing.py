"""How `models show` shows a version."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from daemon.app import open_for
from daemon.champion import load_version
from daemon.model import VersionRecord
from daemon.registry.facts import verdict_of
from daemon.registry.naming import version_named
from daemon.registry.shadows import Shadow, shadows
from daemon.settings import Settings


def describe_version(settings: Settings, version: str) -> dict[str, Any]:
    """A version with its verdict, as plain data."""
    with open_for(settings, read_only=True) as store:
        loaded = load_version(store.registry, version_named(store.registry, version))
        under_way = {one.version: one for one in shadows(store.samples, store.registry, settings.promotion)}
    shadow = _shadow_of(loaded.record, under_way.get(loaded.record.id))
    record = loaded.record
    thresholds = {p: asdict(t) for p, t in loaded.artifact.thresholds.items()}
    for threshold in thresholds.values():
        threshold["left_out"] = dict(threshold["left_out"])
        if threshold["value"] == float("inf"):
            threshold["value"] = None
    return {
        "id": record.id,
        "state": record.state,
        "parent": record.parent,
        "learner": record.learner,
        "created_at": record.created_at.isoformat(),
        "encoder": record.fingerprint,
        "thresholds": thresholds,
        "shadow": shadow,
        "verdict": verdict_of(record),
        "about": dict(loaded.artifact.about),
    }


def _shadow_of(record: VersionRecord, under_way: Shadow | None) -> dict[str, Any] | None:
    """How far a version is that judges in the shadow, or what it came to; None: it never did."""
    if under_way is not None:
        since, until = under_way.since.isoformat(), under_way.until.isoformat()
        return {"since": since, "until": until, "samples": under_way.samples, "wanted": under_way.wanted}
    found = (record.verdict or {}).get("shadow")
    return dict(found) if isinstance(found, dict) else None
