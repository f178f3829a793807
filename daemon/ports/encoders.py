"""Encoders, the move from one to another, and what keeps them honest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from daemon.model import (
    AuditRow,
    EncodingFailure,
    GoldenRecord,
    Migration,
    MigrationCounts,
    MigrationState,
    PendingSample,
    Profile,
)


class Encoder(Protocol):
    """Picture -> feature vector; frozen."""

    name: str
    dimension: int
    fingerprint: str  # sha256 hex of everything that decides a vector's bytes

    def encode(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(h, w, 3) RGB -> (d,), finite, inside float16's range."""
        ...


class EncoderService(Protocol):
    """The encoder in its long-lived child."""

    name: str
    fingerprint: str
    dimension: int

    def encode_many(
        self, items: Sequence[bytes], profiles: Sequence[Profile]
    ) -> list[dict[Profile, NDArray[np.float32]] | EncodingFailure]: ...

    def encode_now(self, content: bytes, *, wanted: Callable[[], bool] = ...) -> NDArray[np.float32]:
        """One picture, raw profile, before any backlog; raises ImageRejected.

        wanted: asked when its turn comes; when it says no TemporaryError is raised and nothing is encoded.
        """
        ...


class Migrations(Protocol):
    """Moves from one encoder to another: at most one is unfinished, and what is finished stays as it is.

    Every step names the state that it goes on from; TemporaryError when a person ended the migration meanwhile.
    """

    def begin(
        self,
        *,
        from_fingerprint: str,
        to_fingerprint: str,
        from_settings: Mapping[str, Any] | None,
        to_settings: Mapping[str, Any],
        at: datetime,
    ) -> Migration:
        """Begin; the unfinished one to the same target is returned as it is.

        Raises BadInputError while another one is unfinished, ChampionMoved when the champion's encoder is not
        `from_fingerprint`.
        """
        ...

    def active(self) -> Migration | None:
        """The unfinished one."""
        ...

    def all(self) -> list[Migration]:
        """Every migration, oldest first."""
        ...

    def pending(self, migration: int, profile: Profile, limit: int) -> list[PendingSample]:
        """Active samples with a blob, without the target's vector, that did not fail; in canonical order."""
        ...

    def add_failures(self, migration: int, failures: Mapping[int, EncodingFailure]) -> None:
        """Sample id -> why the target cannot take its picture; noted once. The sample itself stays as it is."""
        ...

    def counts(self, migration: int) -> MigrationCounts: ...

    def know_origin(self, migration: int, settings: Mapping[str, Any]) -> None:
        """Note how the encoder in force is made, unless that is known."""
        ...

    def advance(
        self,
        migration: int,
        state: MigrationState,
        following: MigrationState,
        at: datetime,
        *,
        version: str | None = None,
        champion: str | None = None,
        verdict: Mapping[str, object] | None = None,
        reason: str = "",
    ) -> None:
        """From one state to another, with what was found out on the way."""
        ...

    def switch(self, migration: int, at: datetime) -> AuditRow:
        """The judged version becomes champion: alias, audit row and state `switched` in one transaction.

        Raises ChampionMoved when the champion is not the one it was compared with.
        """
        ...

    def turn_down(self, migration: int, state: MigrationState, at: datetime) -> None:
        """The judged version stays out: its state and verdict, an audit row and the migration in one transaction."""
        ...

    def cancel(self, migration: int, reason: str, at: datetime) -> None:
        """End an unfinished one. Raises BadInputError when it is finished."""
        ...

    def purge(self, fingerprints: Collection[str], at: datetime) -> dict[str, int]:
        """Remove vectors and statistics of these encoders; returns how many of what.

        Their versions go on knowing what they learned, should the vectors ever be made anew.

        Raises BadInputError when one is needed: the champion's, the previous one's, that of an unfinished migration.
        """
        ...

    def encoders(self) -> dict[str, int]:
        """Fingerprint -> samples that have its raw vector."""
        ...


class GoldenLog(Protocol):
    """What each encoder made of the golden picture when it first came up in this store."""

    def golden(self, fingerprint: str, profile: Profile) -> GoldenRecord | None: ...
    def record_golden(self, fingerprint: str, vectors: Mapping[Profile, NDArray[np.float32]], at: datetime) -> None:
        """Once per fingerprint and profile: what is recorded stays."""
        ...
