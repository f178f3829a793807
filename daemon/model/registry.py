"""Versions, and what was done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One immutable version in the registry."""

    id: str  # v0001-<first 8 of the manifest's sha256>
    parent: str | None
    fingerprint: str  # of the encoder
    learner: str
    statistics_revision: int
    state: str  # challenger, promoted, held, rejected, waiting (for a person), shadow
    created_at: datetime
    manifest_sha256: str
    tensors_sha256: str
    verdict: dict[str, object] | None  # Verdict.to_dict() of the gate


@dataclass(frozen=True, slots=True)
class VersionOutline:
    """A version without its verdict, which is long: what every cycle asks of all versions."""

    id: str
    parent: str | None
    fingerprint: str
    learner: str
    statistics_revision: int
    state: str
    created_at: datetime
    judged: bool  # it has a verdict


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One link of the append-only, hash-chained audit."""

    number: int
    at: datetime
    actor: str
    action: str  # promote, rollback, reject, hold, ...
    version: str | None
    previous: str | None
    reason: str
    payload: dict[str, object]
    previous_hash: str
    hash: str
