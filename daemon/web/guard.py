"""What stands before every endpoint: security headers and, when asked for, the read token."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.problems import problem

OPEN_PATHS: Final = frozenset({"/-/healthy", "/healthz", "/-/ready", "/readyz"})
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """ASGI middleware. read_token: when set, everything but health and readiness asks for it.

    The token comes as `Authorization: Bearer …`, or as the password of basic authentication so that a browser can
    ask for it.
    """

    def __init__(self, app: ASGIApp, read_token: SecretStr | None) -> None:
        self._app = app
        self._token = read_token.get_secret_value().encode() if read_token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to every answer; answer 401 instead of passing on what lacks the token."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if scope["path"] in OPEN_PATHS or self._allowed(Headers(scope=scope).get("authorization", "")):
            await self._app(scope, receive, send_guarded)
            return
        refusal = problem(
            401,
            "send the read token (http.read_token) as a bearer token",
            {"WWW-Authenticate": 'Basic realm="sidwatch"'},
        )
        await refusal(scope, receive, send_guarded)

    def _allowed(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, value = authorization.partition(" ")
        given = value.strip().encode()
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif scheme.lower() != "bearer":
            return False
        return secrets.compare_digest(given, self._token)
