"""Entity tags: who has the bytes already is told so, and gets none (RFC 9110, section 13.1.2)."""

from __future__ import annotations

from fastapi import Request, Response

from daemon.registry.consumer import Document


def matches(condition: str, etag: str) -> bool:
    """Whether an If-None-Match header names the tag; weakness does not count here."""
    return any(one.strip().removeprefix("W/") in ("*", etag) for one in condition.split(","))


def answer(request: Request, document: Document) -> Response:
    """The document, or 304 when the caller has it; to be asked for anew each time, for another one may be in force."""
    headers = {"ETag": document.etag, "Cache-Control": "no-cache"}
    if matches(request.headers.get("if-none-match", ""), document.etag):
        return Response(status_code=304, headers=headers)
    return Response(document.content, headers=headers, media_type=document.media_type)
