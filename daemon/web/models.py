"""`/v1/models`: the champion for programs that score elsewhere."""

from __future__ import annotations

from typing import Protocol

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from daemon.registry.consumer import FILES, Document
from daemon.web.entity import answer


class ModelService(Protocol):
    """What these endpoints ask of the service; every method may be called from any thread."""

    def champion_document(self) -> Document:
        """Of the champion. Raises TemporaryError without one, or while it cannot be used."""

    def model_file(self, version: str, name: str) -> Document | None:
        """One of FILES of a version that is or was in force; None: there is no such version."""


def add_models(app: FastAPI, service: ModelService) -> None:
    """Add the endpoints."""

    @app.head("/v1/models/champion", include_in_schema=False)
    @app.get("/v1/models/champion")
    def champion(request: Request) -> Response:
        """The version in force, how to decide by it and where its files are; `If-None-Match` saves the transfer."""
        return answer(request, service.champion_document())

    @app.head("/v1/models/{version}/files/{name}", include_in_schema=False)
    @app.get("/v1/models/{version}/files/{name}")
    def model_file(request: Request, version: str, name: str) -> Response:
        """A file of a version that is or was champion, byte for byte as its sha256 says."""
        found = service.model_file(version, name) if name in FILES else None
        if found is None:
            raise HTTPException(404, "there is no such file of a version that is or was champion")
        return answer(request, found)
