"""`POST /v1/samples`: one sample, pushed by whoever made or found it."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Protocol

import numpy as np
from fastapi import FastAPI, Header, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.exceptions import HTTPException

from daemon.errors import TemporaryError
from daemon.model import Candidate
from daemon.views import PushView
from daemon.web import examples
from daemon.web.upload import Uploads

PUSHES_AT_ONCE = 4  # that have arrived; further ones are asked to come back
_FIELDS = 16
MOST_OFFER = 1024 * 1024  # bytes; a vector of 16,384 numbers written out has some 400,000

_Text = Annotated[str, Field(min_length=1, max_length=20_000)]
_Detector = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,79}$")]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Takes(Protocol):
    """The service's side."""

    def push(self, offered: Candidate, url: str | None, key: str | None) -> PushView: ...


class Offer(BaseModel):
    """What is said of the sample, and where its picture is unless the bytes came along."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=4000)] | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    vector: Annotated[list[_Finite], Field(min_length=2, max_length=16_384)] | None = None
    vector_fingerprint: _Text | None = None
    scores: Annotated[dict[_Detector, _Finite], Field(max_length=32)] = {}
    label: _Text | None = None
    family: _Text | None = None
    source: _Text | None = None
    group: _Text | None = None
    caption: _Text | None = None
    generation: Annotated[dict[str, str | bool | int | float], Field(max_length=64)] = {}
    licence: _Text | None = None
    consent: _Text | None = None
    released: _Text | None = None
    kind: _Text | None = None

    @field_validator("scores", "generation", mode="before")
    @classmethod
    def _from_a_form(cls, value: Any) -> Any:
        """Read the JSON in which a form writes objects."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            raise ValueError("is no JSON object") from None

    def candidate(self, content: bytes | None) -> Candidate:
        """The offer as an adapter would make it; its name is given later."""
        vector = None
        if self.vector is not None:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
                vector = np.array(self.vector, np.float16)
        said = self.model_dump(exclude={"url", "vector", "scores"})
        return Candidate("", content=content, vector=vector, outside_scores=tuple(sorted(self.scores.items())), **said)


def add_samples(app: FastAPI, service: Takes, uploads: Uploads) -> None:
    """Add the endpoint."""
    places = asyncio.Semaphore(PUSHES_AT_ONCE)

    @app.post("/v1/samples", status_code=202, openapi_extra={"requestBody": _BODY}, responses=_ANSWERS)
    async def push(request: Request, idempotency_key: Annotated[str | None, Header()] = None) -> PushView:
        """Deliver one sample; asks for the ingest token. The answer is its receipt: what it names is stored.

        A form with the file `image`, or a JSON object with the picture's `url`, or with its `sha256` and its `vector`
        or `scores` of outside detectors; beside them the columns of a manifest. The same again, or the same
        Idempotency-Key, changes nothing and is answered with the same receipt.
        """
        async with uploads.report(request, _FIELDS, MOST_OFFER) as (content, fields):
            offer = _offer(fields)
            if [content, offer.url, offer.vector].count(None) < 2:
                raise HTTPException(422, "send one of the picture in the field `image`, its `url` and its `vector`")
            if content is None and offer.url is None and not (offer.sha256 and (offer.vector or offer.scores)):
                raise HTTPException(
                    422, "send the picture in the field `image`, its `url`, or its `sha256` with a `vector` or `scores`"
                )
            if places.locked():
                raise TemporaryError(f"{PUSHES_AT_ONCE} samples are being taken in already; try again")
            async with places:
                return await run_in_threadpool(service.push, offer.candidate(content), offer.url, idempotency_key)


def _offer(fields: dict[str, object]) -> Offer:
    try:
        return Offer.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise HTTPException(
            422, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg'].removeprefix('Value error, ')}"
        ) from None


_ANSWERS: dict[int | str, dict[str, Any]] = {202: {"content": {"application/json": {"example": examples.PUSHED}}}}
_OFFERED = Offer.model_json_schema()
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"image": {"type": "string", "format": "binary"}, **_OFFERED["properties"]},
                "required": ["image"],
            }
        },
        "application/json": {"schema": _OFFERED},
    },
}
