"""`POST /v1/feedback`: what people say of a picture that the detector got wrong."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, Protocol

from fastapi import FastAPI, Header, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from daemon.errors import TemporaryError
from daemon.model import Report
from daemon.views import FeedbackView
from daemon.web import examples
from daemon.web.upload import Uploads

REPORTS_AT_ONCE = 4  # that have arrived; further ones are asked to come back


class Takes(Protocol):
    """The service's side."""

    def report(self, content: bytes | None, sha256: str, report: Report) -> FeedbackView: ...


class Claim(BaseModel):
    """What is said, and of which picture unless its bytes came along."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["real", "synthetic"]
    family: str | None = None
    note: str = Field("", max_length=2000, pattern=r"^[^\x00]*$")  # PostgreSQL stores no NUL
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")


def add_feedback(app: FastAPI, service: Takes, uploads: Uploads) -> None:
    """Add the endpoint."""
    places = asyncio.Semaphore(REPORTS_AT_ONCE)

    @app.post("/v1/feedback", status_code=202, openapi_extra={"requestBody": _BODY}, responses=_ANSWERS)
    async def feedback(request: Request, idempotency_key: Annotated[str | None, Header()] = None) -> FeedbackView:
        """Say that a picture is real, or synthetic; asks for the ingest token.

        A form with the field `image`, or `sha256` of a picture that was taken in before (in a form or a JSON object),
        and `verdict`, `family`, `note`. The same report again, or with the same Idempotency-Key, changes nothing.
        """
        async with uploads.report(request) as (content, fields):
            claim = _claim(fields)
            if (content is None) == (not claim.sha256):
                raise HTTPException(422, "send either the picture in the field `image` or its `sha256`")
            if places.locked():
                raise TemporaryError(f"{REPORTS_AT_ONCE} reports are being taken in already; try again")
            async with places:
                report = Report(claim.verdict, claim.family, claim.note, idempotency_key)
                return await run_in_threadpool(service.report, content, claim.sha256, report)


def _claim(fields: dict[str, object]) -> Claim:
    try:
        return Claim.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise HTTPException(
            422, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg'].removeprefix('Value error, ')}"
        ) from None


_ANSWERS: dict[int | str, dict[str, Any]] = {202: {"content": {"application/json": {"example": examples.FEEDBACK}}}}
_TEXTS = {
    "verdict": {"type": "string", "enum": ["real", "synthetic"]},
    "family": {"type": "string"},
    "note": {"type": "string"},
    "sha256": {"type": "string"},
}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"image": {"type": "string", "format": "binary"}, **_TEXTS},
                "required": ["verdict"],
            }
        },
        "application/json": {
            "schema": {"type": "object", "properties": _TEXTS, "required": ["verdict", "sha256"]},
        },
    },
}
