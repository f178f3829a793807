"""One picture out of a request body, never more bytes in memory than the cap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

FIELD = "image"
_FRAME = 64 * 1024  # boundaries and part headers around a multipart picture, bytes


async def read_picture(request: Request, max_bytes: int, deadline: float) -> bytes:
    """Read the picture of `POST /v1/score`: the multipart field `image`, or a raw body with an image/* content type.

    max_bytes: of the picture. deadline: seconds for the whole body. Returns its bytes. Raises HTTPException 408, 413,
    415 or 422.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(deadline):
            if kind == "multipart/form-data":
                content = await _from_form(request, max_bytes)
            elif kind.startswith("image/"):
                content = b"".join([chunk async for chunk in _capped(request, max_bytes)])
            else:
                raise HTTPException(415, f"send a multipart form with the field {FIELD!r}, or a body of type image/*")
    except TimeoutError:
        raise HTTPException(408, f"the picture did not arrive within {deadline:g} s") from None
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    if not content:
        raise HTTPException(422, "empty: the picture has no bytes")
    return content


async def _from_form(request: Request, max_bytes: int) -> bytes:
    body = _capped(request, max_bytes + _FRAME, max_bytes)
    try:
        form = await MultiPartParser(request.headers, body, max_files=1, max_fields=0).parse()
    except MultiPartException as error:
        raise HTTPException(422, f"the form cannot be read: {error.message}") from None
    try:
        upload = form.get(FIELD)
        if not isinstance(upload, UploadFile):
            raise HTTPException(422, f"the form has no file in the field {FIELD!r}")
        return await upload.read()
    finally:
        await form.close()


async def _capped(request: Request, limit: int, told: int | None = None) -> AsyncGenerator[bytes, None]:
    promised = request.headers.get("content-length", "")
    if promised.isdigit() and int(promised) > limit:
        raise _too_large(told or limit)
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > limit:
            raise _too_large(told or limit)
        yield chunk


def _too_large(max_bytes: int) -> HTTPException:
    return HTTPException(413, f"the picture is larger than {max_bytes} bytes (http.max_upload)")
