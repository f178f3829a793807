"""One picture out of a request body, never more bytes in memory than the cap."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from daemon.web.guard import key_of
from daemon.web.waiting import Room

FIELD = "image"
MOST_FIELDS = 8
FRAME = 64 * 1024  # boundaries and part headers around a multipart picture, bytes


Take = Callable[[int], None]  # is told the bytes of each chunk; raises TemporaryError when there is no room for them


@dataclass(frozen=True, slots=True)
class Uploads:
    """What all endpoints share that take pictures. max_bytes: of one; deadline: seconds for a whole body."""

    room: Room
    max_bytes: int
    deadline: float

    @asynccontextmanager
    async def picture(self, request: Request) -> AsyncIterator[bytes]:
        """As `read_picture`; its bytes count as in memory while the block runs. Raises TemporaryError too."""
        with self.room.of(key_of(request.scope, request.state.caller)) as take:
            yield await read_picture(request, self.max_bytes, self.deadline, take)

    @asynccontextmanager
    async def report(
        self, request: Request, most_fields: int = MOST_FIELDS, most_json: int = FRAME
    ) -> AsyncIterator[tuple[bytes | None, dict[str, Any]]]:
        """As `read_report`; its bytes count as in memory while the block runs. Raises TemporaryError too."""
        with self.room.of(key_of(request.scope, request.state.caller)) as take:
            yield await read_report(request, self.max_bytes, self.deadline, take, most_fields, most_json)


async def read_picture(request: Request, max_bytes: int, deadline: float, take: Take) -> bytes:
    """Read the picture of `POST /v1/score`: the multipart field `image`, or a raw body with an image/* content type.

    max_bytes: of the picture. deadline: seconds for the whole body. Returns its bytes. Raises HTTPException 408, 413,
    415 or 422, and what `take` raises.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(deadline):
            if kind == "multipart/form-data":
                content = (await _from_form(request, max_bytes, take, FIELD))[FIELD]
            elif kind.startswith("image/"):
                content = await _whole(request, max_bytes, _too_large(max_bytes), take)
            else:
                raise HTTPException(415, f"send a multipart form with the field {FIELD!r}, or a body of type image/*")
    except TimeoutError:
        raise HTTPException(408, f"the picture did not arrive within {deadline:g} s") from None
    return _checked(content, max_bytes)


async def read_report(
    request: Request,
    max_bytes: int,
    deadline: float,
    take: Take,
    most_fields: int = MOST_FIELDS,
    most_json: int = FRAME,
) -> tuple[bytes | None, dict[str, Any]]:
    """Read the body of `POST /v1/feedback`, `POST /v1/samples`: a form with the field `image` and others, or an object.

    max_bytes: of the picture. deadline: seconds for the whole body. most_fields: of a form, beside the picture.
    most_json: bytes of a JSON object. Returns the picture's bytes, if there are any,
    and the other fields as they came. Raises HTTPException 408, 413, 415 or 422.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(deadline):
            if kind == "multipart/form-data":
                parts = await _from_form(request, max_bytes, take, fields=most_fields)
                content = parts.pop(FIELD, None)
                return None if content is None else _checked(content, max_bytes), parts
            if kind == "application/json":
                refusal = HTTPException(413, f"the JSON object is larger than {most_json} bytes")
                fields = json.loads(await _whole(request, most_json, refusal, take))
                if not isinstance(fields, dict):
                    raise HTTPException(422, "the body is not a JSON object")
                return None, fields
    except TimeoutError:
        raise HTTPException(408, f"the report did not arrive within {deadline:g} s") from None
    except (ValueError, RecursionError):
        raise HTTPException(422, "the body is not JSON") from None
    raise HTTPException(415, "send a multipart form, or a JSON object that names a picture by its sha256")


def _checked(content: bytes, max_bytes: int) -> bytes:
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    if not content:
        raise HTTPException(422, "empty: the picture has no bytes")
    return content


async def _whole(request: Request, limit: int, refusal: HTTPException, take: Take) -> bytes:
    return b"".join([chunk async for chunk in _capped(request, limit, refusal, take)])


async def _from_form(request: Request, max_bytes: int, take: Take, needed: str = "", fields: int = 0) -> dict[str, Any]:
    """Field -> text, and FIELD -> bytes; no other field may be a file."""
    body = _capped(request, max_bytes + FRAME, _too_large(max_bytes), take)
    try:
        form = await MultiPartParser(request.headers, body, max_files=1, max_fields=fields).parse()
    except MultiPartException as error:
        raise HTTPException(422, f"the form cannot be read: {error.message}") from None
    try:
        found: dict[str, Any] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) != (name == FIELD):
                raise HTTPException(422, f"the field {FIELD!r} is a file, and no other one is")
            found[name] = await value.read() if isinstance(value, UploadFile) else value
        if needed and needed not in found:
            raise HTTPException(422, f"the form has no file in the field {needed!r}")
        return found
    finally:
        await form.close()


async def _capped(request: Request, limit: int, refusal: HTTPException, take: Take) -> AsyncGenerator[bytes, None]:
    promised = request.headers.get("content-length", "")
    if promised.isdigit() and int(promised) > limit:
        raise refusal
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > limit:
            raise refusal
        take(len(chunk))
        yield chunk


def _too_large(max_bytes: int) -> HTTPException:
    return HTTPException(413, f"the picture is larger than {max_bytes} bytes (http.max_upload)")
