"""What changes state over HTTP: episodes, quarantine, rollback; each asks for the scope operate."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Protocol

from fastapi import Depends, FastAPI, Path
from pydantic import ConfigDict, Field, WithJsonSchema

from daemon.by_hand import Done
from daemon.model import Label
from daemon.units import Duration
from daemon.web.guard import Operators
from daemon.web.models import Reason

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="sha256 of the picture's bytes")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class Operates(Protocol):
    """The service's side; see `daemon.by_hand.ByHand`."""

    def acknowledge(self, episode: int, actor: str, reason: str) -> Done: ...
    def snooze(self, episode: int, length: timedelta, actor: str, reason: str) -> Done: ...
    def close(self, episode: int, actor: str, reason: str) -> Done: ...
    def release(self, sha256: str, actor: str, reason: str) -> Done: ...
    def confirm(self, sha256: str, label: Label, family: str | None, actor: str, reason: str) -> Done: ...
    def discard(self, sha256: str, actor: str, reason: str) -> Done: ...
    def roll_back(self, actor: str, reason: str) -> Done: ...
    def run_job(self, job: str, actor: str, reason: str) -> Done: ...
    def pause_job(self, job: str, length: timedelta | None, actor: str, reason: str) -> Done: ...
    def resume_job(self, job: str, actor: str, reason: str) -> Done: ...


class OperatingService(Protocol):
    """Where it is."""

    @property
    def by_hand(self) -> Operates: ...


# As people write it, which is not the `duration` of JSON Schema (ISO 8601).
Length = Annotated[
    Duration,
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$", "description": "With its unit: 12h, 3d"}
    ),
]
Job = Annotated[str, Path(pattern="^[a-z0-9_]{1,80}$", description="A name of GET /v1/jobs")]


class Snooze(Reason):
    """How long, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"length": "3d", "reason": "the vendor mends it on Monday"}}
    )

    length: Length


class Pause(Reason):
    """Why, and for how long; without a length until it is resumed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"length": "2d", "reason": "the disk is being moved"}}
    )

    length: Length | None = None


class Confirmation(Reason):
    """What the picture is, and how one knows."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"label": "synthetic", "family": "flux_3", "reason": "seen by hand"}},
    )

    label: Label
    family: Annotated[str | None, Field(max_length=64, description="Of a synthetic one")] = None


def add_operations(app: FastAPI, service: OperatingService, operators: Operators) -> None:
    """Add the endpoints."""
    actor = Depends(operators)

    @app.post("/v1/episodes/{number}/ack")
    def acknowledge(number: Number, body: Reason, who: str = actor) -> Done:
        """Say that somebody is on an open episode: its alert stops."""
        return service.by_hand.acknowledge(number, who, body.reason)

    @app.post("/v1/episodes/{number}/snooze")
    def snooze(number: Number, body: Snooze, who: str = actor) -> Done:
        """Be told no more of an open episode for a time."""
        return service.by_hand.snooze(number, body.length, who, body.reason)

    @app.post("/v1/episodes/{number}/close")
    def close(number: Number, body: Reason, who: str = actor) -> Done:
        """End an open episode: the family's test begins anew."""
        return service.by_hand.close(number, who, body.reason)

    @app.post("/v1/quarantine/{sha256}/release")
    def release(sha256: Digest, body: Reason, who: str = actor) -> Done:
        """Let a sample out of quarantine as it is, to be tried again."""
        return service.by_hand.release(sha256, who, body.reason)

    @app.post("/v1/quarantine/{sha256}/confirm")
    def confirm(sha256: Digest, body: Confirmation, who: str = actor) -> Done:
        """Say what a sample is: that ends the quarantine for contradicting labels."""
        return service.by_hand.confirm(sha256, body.label, body.family, who, body.reason)

    @app.post("/v1/quarantine/{sha256}/discard")
    def discard(sha256: Digest, body: Reason, who: str = actor) -> Done:
        """Forget a sample; its bytes are deleted in the next cycle."""
        return service.by_hand.discard(sha256, who, body.reason)

    @app.post("/v1/models/rollback")
    def roll_back(body: Reason, who: str = actor) -> Done:
        """Bring the previous champion back."""
        return service.by_hand.roll_back(who, body.reason)

    @app.post("/v1/jobs/{job}/run")
    def run_job(job: Job, body: Reason, who: str = actor) -> Done:
        """Have a job done once, as soon as the run before it is over."""
        return service.by_hand.run_job(job, who, body.reason)

    @app.post("/v1/jobs/{job}/pause")
    def pause_job(job: Job, body: Pause, who: str = actor) -> Done:
        """Begin no further run of a job for a time, or until it is resumed; a run under way ends as it would."""
        return service.by_hand.pause_job(job, body.length, who, body.reason)

    @app.post("/v1/jobs/{job}/resume")
    def resume_job(job: Job, body: Reason, who: str = actor) -> Done:
        """End a pause; a job with an interval runs at once."""
        return service.by_hand.resume_job(job, who, body.reason)
