"""Errors as application/problem+json (RFC 9457), one line each, never a traceback."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from daemon.errors import (
    BadInputError,
    ChampionMoved,
    ConfigurationError,
    CorruptArtifact,
    ImageRejected,
    NotFoundError,
    SidwatchError,
    TemporaryError,
)

RETRY_SECONDS = "5"
_LONGEST = 1000  # characters of a detail


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **extra: str) -> JSONResponse:
    """A problem document. status: HTTP status; detail: one line for a person; extra: further members."""
    # It may repeat what a caller sent: what no UTF-8 can hold, several lines, or thousands of characters.
    said = " ".join(detail.encode("utf-8", "replace").decode().split())
    if len(said) > _LONGEST:
        said = f"{said[:_LONGEST]}..."
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": said, **extra}
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
    if isinstance(error, CorruptArtifact):
        return problem(500, "stored files are damaged; `sidwatch verify --deep` says which")  # the error names a path
    if isinstance(error, NotFoundError):
        return problem(404, str(error))
    if isinstance(error, BadInputError):
        return problem(422, str(error))
    if isinstance(error, ChampionMoved):
        return problem(409, str(error))
    if isinstance(error, TemporaryError):
        return problem(503, str(error), {"Retry-After": RETRY_SECONDS})
    if isinstance(error, ConfigurationError):
        return problem(501, str(error))  # an encoder that takes no pictures, for one
    return problem(500, str(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if _is_page(request):
        title = HTTPStatus(error.status_code).phrase
        detail = "there is no page at this address" if error.detail == HTTPStatus(404).phrase else str(error.detail)
        return HTMLResponse(_page(error.status_code, title, detail), error.status_code, error.headers)
    return problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    text = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg'].removeprefix('Value error, ')}"
    if _is_page(request):
        return HTMLResponse(_page(422, "This address is not understood", text), 422)
    return problem(422, text)


async def _unexpected(request: Request, _error: Exception) -> Response:
    # The text of an unexpected error may hold paths or secrets; the log has it in full.
    text = "an unexpected error; the service's log says more"
    if _is_page(request):
        return HTMLResponse(_page(500, "Something went wrong", text), 500)
    return problem(500, text)


def _is_page(request: Request) -> bool:
    """Whether a person's browser asks, for a page."""
    return (
        request.method == "GET" and "text/html" in request.headers.get("accept", "") and "/v1/" not in request.url.path
    )


def _page(status: int, title: str, detail: str) -> str:
    from daemon.web.page import error  # which imports much that a probe does without

    return error(status, title, detail)
