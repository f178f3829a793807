"""Errors as application/problem+json (RFC 9457), one line each, never a traceback."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from daemon.errors import BadInputError, ChampionMoved, ImageRejected, SidwatchError, TemporaryError

RETRY_SECONDS = "5"


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **extra: str) -> JSONResponse:
    """A problem document. status: HTTP status; detail: one line for a person; extra: further members."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **extra}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def register(app: FastAPI) -> None:
    """Make every error that leaves an endpoint a problem document."""
    app.add_exception_handler(SidwatchError, _sidwatch)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


async def _sidwatch(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ImageRejected):
        status = 413 if error.reason == "too_many_bytes" else 422
        return problem(status, str(error), reason=error.reason)
    if isinstance(error, BadInputError):
        return problem(422, str(error))
    if isinstance(error, ChampionMoved):
        return problem(409, str(error))
    if isinstance(error, TemporaryError):
        return problem(503, str(error), {"Retry-After": RETRY_SECONDS})
    return problem(500, str(error))


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return problem(422, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    # The text of an unexpected error may hold paths or secrets; the log has it in full.
    return problem(500, "an unexpected error; the service's log says more")
