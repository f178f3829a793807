"""`/v1/models`: the champion for programs that score elsewhere, and a person's word on a version that waits."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from starlette.exceptions import HTTPException

from daemon.model import LONGEST_REASON, says_something
from daemon.registry.consumer import FILES, MEDIA_TYPES, Document
from daemon.views import View
from daemon.web.entity import answer
from daemon.web.guard import Operators


def _readable(reason: str) -> str:
    if not says_something(reason):
        raise ValueError("say why: the audit keeps it")
    return reason


class Reason(BaseModel):
    """The body of a decision."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "figures looked at"}})

    # For the audit; PostgreSQL stores no NUL.
    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REASON, pattern=r"^[^\x00]*$"),
        AfterValidator(_readable),
    ]


class Decided(View):
    """What a decision came to."""

    version: str
    champion: str  # in force now
    audit: int  # number of the row
    reason: str


_HAS_IT: dict[str, Any] = {"description": "Who asks has these bytes already (If-None-Match)"}
_FILES: dict[str, Any] = {
    kind.partition(";")[0]: {"schema": {} if "json" in kind else {"type": "string", "format": "binary"}}
    for kind in MEDIA_TYPES.values()
}


class ModelService(Protocol):
    """What these endpoints ask of the service; every method may be called from any thread."""

    def champion_document(self) -> Document:
        """Of the champion. Raises TemporaryError without one, or while it cannot be used."""

    def model_file(self, version: str, name: str) -> Document | None:
        """One of FILES of a version that is or was in force; None: there is no such version."""

    def decide(self, version: str, approved: bool, reason: str, actor: str) -> Decided:
        """A person's word on a version that waits. Raises BadInputError, CorruptArtifact, ChampionMoved."""


def add_models(app: FastAPI, service: ModelService, operators: Operators) -> None:
    """Add the endpoints."""
    actor = Depends(operators)

    @app.head("/v1/models/champion", include_in_schema=False)
    @app.get("/v1/models/champion", responses={304: _HAS_IT})
    def champion(request: Request) -> Response:
        """The version in force, how to decide by it and where its files are; `If-None-Match` saves the transfer."""
        return answer(request, service.champion_document())

    @app.head("/v1/models/{version}/files/{name}", include_in_schema=False)
    @app.get("/v1/models/{version}/files/{name}", responses={200: {"content": _FILES}, 304: _HAS_IT})
    def model_file(request: Request, version: str, name: str) -> Response:
        """A file of a version that is or was champion, byte for byte as its sha256 says."""
        found = service.model_file(version, name) if name in FILES else None
        if found is None:
            raise HTTPException(404, "there is no such file of a version that is or was champion")
        return answer(request, found)

    @app.post("/v1/models/{version}/approve")
    def approve(version: str, body: Reason, who: str = actor) -> Decided:
        """Let a version that passed the gate and waits come into force; asks for the scope operate."""
        return service.decide(version, True, body.reason, who)

    @app.post("/v1/models/{version}/reject")
    def reject(version: str, body: Reason, who: str = actor) -> Decided:
        """Turn a version that passed the gate and waits down; asks for the scope operate."""
        return service.decide(version, False, body.reason, who)
