"""Versions, decisions about them and the champion as people see them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from daemon import views
from daemon.errors import CorruptArtifact
from daemon.model import AuditRow, VersionOutline, VersionRecord
from daemon.ports import Registry

DECISIONS = {
    "promote": "promoted",
    "hold": "held",
    "reject": "rejected",
    "rollback": "rolled_back",
    "wait": "waiting",
    "shadow": "shadow",
}


def champion_view(registry: Registry, champion: VersionRecord, audit: Sequence[AuditRow]) -> views.ChampionView:
    """From the manifest alone: the artifact itself is checked where it scores, and reading it costs a scipy."""
    try:
        manifest = json.loads(registry.artifact(champion.id)[1])
    except CorruptArtifact as error:
        way = "; or `sidwatch models rollback`: the version before it comes back" if registry.previous() else ""
        raise CorruptArtifact(f"the champion {champion.id} is damaged: {error}{way}") from error
    thresholds = {profile: threshold["value"] for profile, threshold in manifest["thresholds"].items()}
    groups = manifest["about"].get("statistics", {}).get("groups", ())  # none: it learned nothing of this store
    subjects = {(group["kind"], group["name"]) for group in groups if group["modelled"]}
    promoted = [row.at for row in audit if row.version == champion.id and row.action in ("promote", "rollback")]
    return views.ChampionView(
        id=champion.id,
        learner=champion.learner,
        promoted_at=promoted[-1] if promoted else champion.created_at,
        thresholds={profile: None if value == "inf" else value for profile, value in thresholds.items()},
        threshold_method=manifest["thresholds"]["raw"]["method"],
        alpha=manifest["thresholds"]["raw"]["alpha"],
        families=sum(kind == "family" for kind, _ in subjects),
        sources=sum(kind == "source" for kind, _ in subjects),
    )


def version_views(registry: Registry, audit: Sequence[AuditRow]) -> list[views.VersionView]:
    """Every version, oldest first."""
    champion, previous = registry.champion(), registry.previous()
    reasons = {row.version: row.reason for row in audit}
    return [_version(version, champion, previous, reasons) for version in registry.outlines()]


def _version(
    version: VersionOutline,
    champion: VersionRecord | None,
    previous: VersionRecord | None,
    reasons: dict[str | None, str],
) -> views.VersionView:
    role = ""
    if champion and version.id == champion.id:
        role = "champion"
    elif previous and version.id == previous.id:
        role = "previous"
    elif version.state == "challenger":
        role = "challenger"
    return views.VersionView.model_validate(
        {
            "id": version.id,
            "role": role,
            "state": version.state,
            "parent": version.parent,
            "learner": version.learner,
            "created_at": version.created_at,
            "encoder": version.fingerprint,
            "reason": reasons.get(version.id, ""),
        }
    )


def decision_views(audit: Sequence[AuditRow], most: int) -> list[views.DecisionView]:
    """The decisions about versions, newest first."""
    return [_decision(row) for row in reversed(audit) if row.action in DECISIONS and row.version][:most]


def _decision(row: AuditRow) -> views.DecisionView:
    return views.DecisionView.model_validate(
        {
            "version": row.version,
            "decision": DECISIONS[row.action],
            "reason": row.reason,
            "at": row.at,
            "actor": row.actor,
        }
    )


def waiting_since(registry: Registry, champion: VersionRecord | None, audit: Sequence[AuditRow]) -> datetime | None:
    """Since when the first of the versions waits that a person could still approve; None: none does."""
    parent = champion.id if champion else None
    waiting = {v.id for v in registry.outlines() if v.state == "waiting" and v.parent == parent}
    since = {row.version: row.at for row in audit if row.action == "wait" and row.version in waiting}
    return min(since.values(), default=None)
