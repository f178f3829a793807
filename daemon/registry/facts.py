"""Everything that is known of one version, gathered once for the card, the export and the diff."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.errors import CorruptArtifact
from daemon.figures import HELD_OUT
from daemon.heads import VersionArtifact, read
from daemon.model import AuditRow, EvaluationRow, VersionRecord
from daemon.ports import Registry, SampleStore

_NUMBERS = ("champion", "challenger", "difference", "lower", "upper")


@dataclass(frozen=True, slots=True)
class Facts:
    """One version, its files checked, with what was measured and decided."""

    record: VersionRecord
    artifact: VersionArtifact
    tensors: bytes
    manifest: bytes
    decisions: tuple[AuditRow, ...]  # on this version, oldest first
    figures: tuple[EvaluationRow, ...]  # on pictures that it has not learned; empty: never measured
    names: Mapping[str, str]  # families of the manifest that are called otherwise by now

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The gate's, None before it. Raises CorruptArtifact when it is none of the gate's."""
        return verdict_of(self.record)

    @property
    def contents(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        found: dict[str, Any] = json.loads(self.manifest)
        return found


def verdict_of(record: VersionRecord) -> dict[str, Any] | None:
    """The verdict on a version with all that is told of it; None: it was not judged.

    Raises CorruptArtifact when the gate cannot have written it.
    """
    verdict = record.verdict
    if verdict is None:
        return None
    checks = verdict.get("checks", []) if isinstance(verdict, dict) else None
    if not isinstance(checks, list) or not {"decision", "reason"} <= set(verdict) or not all(map(_is_check, checks)):
        raise CorruptArtifact(
            f"{record.id}: its verdict is not one that the gate wrote; `sidwatch verify` compares it with the audit"
        )
    return {**verdict, "checks": checks}


def _is_check(check: object) -> bool:
    if not isinstance(check, dict) or not {"name", "profile", "subject", "n", "outcome", *_NUMBERS} <= set(check):
        return False
    subject = check["subject"]
    return all(isinstance(check[key], int | float | None) for key in _NUMBERS) and (
        subject is None or (isinstance(subject, list) and [type(part) for part in subject] == [str, str])
    )


def facts_of(registry: Registry, samples: SampleStore, record: VersionRecord) -> Facts:
    """Gather them. Raises CorruptArtifact when a file is not as recorded."""
    tensors, manifest = registry.artifact(record.id)
    return Facts(
        record,
        read(tensors, manifest),
        tensors,
        manifest,
        tuple(row for row in registry.audit() if row.version == record.id),
        tuple(row for row in samples.latest_evaluations(record.id) if row.window == HELD_OUT),
        registry.family_names(),
    )
