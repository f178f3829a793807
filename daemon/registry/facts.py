"""Everything that is known of one version, gathered once for the card, the export and the diff."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.figures import HELD_OUT
from daemon.heads import VersionArtifact, read
from daemon.model import AuditRow, EvaluationRow, VersionRecord
from daemon.ports import Registry, SampleStore


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
    def contents(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        found: dict[str, Any] = json.loads(self.manifest)
        return found


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
