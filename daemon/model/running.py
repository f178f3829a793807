"""Runs of jobs, the move to another encoder, and what an encoder made of the golden picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

MigrationState = Literal["embedding", "learning", "shadow", "judged", "switched", "held", "rejected", "cancelled"]
UNFINISHED: tuple[MigrationState, ...] = ("embedding", "learning", "shadow", "judged")


@dataclass(frozen=True, slots=True)
class Migration:
    """The move of this store from one encoder to another."""

    id: int
    from_fingerprint: str
    to_fingerprint: str
    from_settings: dict[str, Any] | None  # how the encoder in force is made, without secrets; None: not known
    to_settings: dict[str, Any]  # how the target is made
    state: MigrationState
    began_at: datetime
    changed_at: datetime  # of the newest state
    version: str | None = None  # what was solved from the target's vectors
    champion: str | None = None  # what it was compared with
    verdict: dict[str, Any] | None = None  # Verdict.to_dict() of the gate
    reason: str = ""  # why it ended as it did

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state not in UNFINISHED


@dataclass(frozen=True, slots=True)
class MigrationCounts:
    """How far the vectors of a migration's target are."""

    active: int  # active samples
    embedded: int  # of them with the target's vectors of both profiles
    waiting: int  # with a picture and without them
    without_picture: int  # whose picture is no longer kept, so that they never get them
    failed: int  # whose picture the target cannot take


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the run log."""

    id: int
    job: str
    tick: int
    state: str  # waiting, running, finished
    outcome: str | None  # ok, failed, timed_out, lost, skipped
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    holder: str | None
    lease_until: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class JobPause:
    """A person's word that no run of a job begins."""

    job: str
    at: datetime
    until: datetime | None  # None: until it is resumed
    actor: str
    reason: str

    def holds(self, now: datetime) -> bool:
        """Whether it is not over."""
        return self.until is None or self.until > now


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """What an encoder once made of the golden picture under one profile."""

    vector: NDArray[np.float32]  # (d,)
    at: datetime  # when it was recorded
