"""Versions of the head, and who promoted them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from daemon.model import AuditRow, VersionOutline, VersionRecord


class Registry(Protocol):
    """Immutable versions, the champion alias and the audit chain."""

    def add_version(
        self,
        *,
        parent: str | None,
        fingerprint: str,
        learner: str,
        statistics_revision: int,
        manifest: bytes,
        tensors: bytes,
        at: datetime,
    ) -> VersionRecord:
        """Store the artifact files, then the row; the same manifest again returns the row that is there."""
        ...

    def record_verdict(
        self, version: str, state: str, verdict: Mapping[str, object], actor: str, reason: str, at: datetime
    ) -> None:
        """State held, rejected, waiting or shadow with the verdict, and one audit row (a promotion is `promote`)."""
        ...

    def promote(
        self,
        version: str,
        *,
        expected: str | None,
        actor: str,
        reason: str,
        verdict: Mapping[str, object] | None,
        at: datetime,
        action: str = "promote",
        more: Mapping[str, object] | None = None,
    ) -> AuditRow:
        """Compare-and-set of the champion alias (and `previous`) and one audit row, with `more`, in one transaction.

        Raises ChampionMoved when the champion is not `expected`.
        """
        ...

    def approve(self, version: str, *, actor: str, reason: str, at: datetime) -> AuditRow:
        """A version that waits or judges in the shadow takes its champion's place, in one transaction.

        Raises BadInputError when it is unknown or does not wait, ChampionMoved when another version is in force by now.
        """
        ...

    def refuse(self, version: str, *, actor: str, reason: str, at: datetime) -> AuditRow:
        """A person rejects a version that waits or judges in the shadow; its verdict stays. Raises as `approve`."""
        ...

    def champion(self) -> VersionRecord | None: ...
    def previous(self) -> VersionRecord | None: ...
    def version(self, version: str) -> VersionRecord: ...
    def versions(self) -> list[VersionRecord]: ...
    def outlines(self) -> list[VersionOutline]:
        """All versions without their verdicts, oldest first: as quick for a thousand as for ten."""
        ...

    def artifact(self, version: str) -> tuple[bytes, bytes]:
        """(tensors, manifest), both checked against the recorded digests; CorruptArtifact otherwise."""
        ...

    def audit(self, actions: Collection[str] | None = None, after: int = 0) -> list[AuditRow]:
        """The chain, oldest first: the whole of it, or the rows of some actions, or those after a number."""
        ...

    def audit_counts(self) -> dict[str, int]:
        """Action -> how many rows of the audit about a version have it."""
        ...

    def family_names(self) -> dict[str, str]:
        """Former family name -> present one: versions and verdicts keep the names of their time."""
        ...
