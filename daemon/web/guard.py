"""What stands before every endpoint: security headers and, when asked for, the read token."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final

from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.problems import problem

INGEST_PATHS: Final = frozenset({"/v1/feedback", "/v1/samples"})  # a POST there brings something in
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
    """ASGI middleware. read_token: when set, everything but health and readiness asks for it, or for write_token.

    The token comes as `Authorization: Bearer …`, or as the password of basic authentication so that a browser can
    ask for it. ingest_token: what brings something in asks for this one instead, as a bearer token alone, which no
    browser sends by itself; None: nothing may be brought in.
    """

    def __init__(
        self,
        app: ASGIApp,
        read_token: SecretStr | None,
        ingest_token: SecretStr | None = None,
        write_token: SecretStr | None = None,
    ) -> None:
        self._app = app
        self._ingest_token = _bytes(ingest_token)
        both = (read_token, write_token) if read_token is not None else ()
        self._tokens = [token for token in map(_bytes, both) if token is not None]

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

        refusal = self._refusal(scope["path"], scope["method"], Headers(scope=scope).get("authorization", ""))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, path: str, method: str, authorization: str) -> JSONResponse | None:
        if path in INGEST_PATHS and method == "POST":
            if self._ingest_token is None:
                return problem(403, "nothing may be brought in over HTTP; set http.ingest_token in config.yaml")
            scheme, _, value = authorization.partition(" ")
            if scheme.lower() == "bearer" and secrets.compare_digest(value.strip().encode(), self._ingest_token):
                return None
            return problem(
                401,
                "send the ingest token (http.ingest_token) as a bearer token",
                {"WWW-Authenticate": 'Bearer realm="sidwatch"'},
            )
        if path in OPEN_PATHS or self._allowed(authorization):
            return None
        return problem(
            401,
            "send the read token (http.read_token) as a bearer token",
            {"WWW-Authenticate": 'Basic realm="sidwatch"'},
        )

    def _allowed(self, authorization: str) -> bool:
        if not self._tokens:
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
        return any(secrets.compare_digest(given, token) for token in self._tokens)


def _bytes(token: SecretStr | None) -> bytes | None:
    return token.get_secret_value().encode() if token is not None else None


class Writers:
    """Who may change state: whoever sends the write token as a bearer token, and nobody when there is none.

    Basic authentication does not do: a browser sends it by itself, on behalf of any page that asks it to.
    """

    def __init__(self, write_token: SecretStr | None) -> None:
        self._token = _bytes(write_token)

    def check(self, authorization: str) -> None:
        """Raises HTTPException: 403 when the API changes nothing, 401 without the token."""
        if self._token is None:
            raise HTTPException(403, "the API changes nothing until http.write_token is set; the command line does")
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(value.strip().encode(), self._token):
            raise HTTPException(
                401, "send the write token (http.write_token) as a bearer token", {"WWW-Authenticate": "Bearer"}
            )
