"""A webhook: one POST for one message, signed as Standard Webhooks has it.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Final

import httpx

from daemon import __version__
from daemon.errors import ConfigurationError, TemporaryError
from daemon.notify.message import Message, Picture
from daemon.settings import WebhookSettings

_PREFIX: Final = "whsec_"


def signing_key(secret: str, name: str) -> bytes:
    """The key that a secret stands for: base64 after `whsec_`, else its UTF-8 bytes. Raises ConfigurationError."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(f"notify.channels: {name}: what follows whsec_ in `secret` is not base64") from error
    if not key:
        raise ConfigurationError(f"notify.channels: {name}: `secret` holds no key")
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.

    >>> signature(b"key", "m1", 1700000000, b"{}")
    'v1,fYBwkVtdyX97mFOQpUYTkHSNiYRY0ak2L+oojZDn0ww='
    """
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def body_of(message: Message, pictures: Sequence[Picture]) -> bytes:
    """The JSON that is posted."""
    return json.dumps(
        {
            "id": message.id,
            "type": message.kind,
            "at": message.at,
            "title": message.title,
            "text": message.text,
            "link": message.link,
            "simulated": message.simulated,
            **message.facts,
            "pictures": [
                {
                    "sha256": picture.sha256,
                    "logit": picture.logit,
                    "media_type": "image/jpeg",
                    "data": base64.b64encode(picture.content).decode("ascii"),
                }
                for picture in pictures
            ],
            "attachments": [
                {
                    "name": file.name,
                    "media_type": file.media_type,
                    "data": base64.b64encode(file.text.encode()).decode("ascii"),
                }
                for file in message.attached
            ],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


class WebhookChannel:
    """Posts JSON; any 2xx answer means that it was taken. Redirects are not followed: they lead the secret astray."""

    def __init__(self, settings: WebhookSettings) -> None:
        self.name = settings.name
        self.recipients = ("",)
        self.kinds = settings.events
        self._settings = settings
        self._key = signing_key(settings.secret.get_secret_value(), settings.name)

    def send(self, message: Message, pictures: Sequence[Picture], recipient: str) -> None:
        body, timestamp = body_of(message, pictures), int(time.time())  # the receiver checks its age
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"sidwatch/{__version__}",
            "Idempotency-Key": message.id,
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, message.id, timestamp, body),
        }
        url, seconds = self._settings.url.get_secret_value(), self._settings.timeout.total_seconds()
        try:
            status = asyncio.run(_posted(url, body, headers, seconds))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise TemporaryError(
                f"{self.name}: no answer ({type(error).__name__})"
            ) from error  # its text may hold the URL
        if not httpx.codes.is_success(status):
            raise TemporaryError(f"{self.name}: answered {status}")


async def _posted(url: str, body: bytes, headers: dict[str, str], seconds: float) -> int:
    """The status that was answered. The deadline is of the whole exchange: who answers byte by byte holds up nobody.

    What stands in the answer is not read, for it may have no end.
    """
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(timeout=seconds) as client,
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return answer.status_code
