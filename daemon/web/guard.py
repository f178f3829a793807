"""What stands before every endpoint: security headers, who calls and what they may, how often."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.settings import Scope as Right
from daemon.settings import TokenSettings
from daemon.web.callers import caller_of
from daemon.web.hosts import is_own
from daemon.web.problems import problem
from daemon.web.rate import Buckets

INGEST_PATHS: Final = frozenset({"/v1/feedback", "/v1/samples"})  # a POST there brings something in
UPLOAD_PATHS: Final = INGEST_PATHS | {"/v1/score", "/try"}  # these cap what they read, and read it as it comes
MOST_JSON: Final = 64 * 1024  # bytes of any other body
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
METRICS_PATH: Final = "/metrics"
OPEN_PATHS: Final = frozenset({"/-/healthy", "/healthz", "/-/ready", "/readyz"})
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_BEARER: Final = {"WWW-Authenticate": 'Bearer realm="sidwatch"'}
_BASIC: Final = {"WWW-Authenticate": 'Basic realm="sidwatch"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a known token."""

    name: str
    rights: frozenset[Right]
    bearer: bool  # a browser sends the other kind by itself, on behalf of any page that asks it to


class Tokens:
    """The tokens that are known. The three of their own settings have a name too, for the audit."""

    def __init__(
        self,
        read_token: SecretStr | None = None,
        ingest_token: SecretStr | None = None,
        write_token: SecretStr | None = None,
        more: Iterable[TokenSettings] = (),
    ) -> None:
        own: list[tuple[str, SecretStr | None, frozenset[Right]]] = [
            ("reader", read_token, frozenset({"read"})),
            ("ingest", ingest_token, frozenset({"ingest"})),
            ("api", write_token, frozenset({"read", "operate"})),
        ]
        own += [(token.name, token.token, frozenset(token.scopes)) for token in more]
        self._known = [(name, _bytes(token), rights) for name, token, rights in own if token is not None]
        # A write token alone does not close what may be read: that is what a token made for reading says.
        self.reading_is_open = read_token is None and all("read" not in token.scopes for token in more)

    def grants(self, right: Right) -> bool:
        """Whether any token has that right."""
        return any(right in rights for _, _, rights in self._known)

    def caller(self, authorization: str) -> Caller | None:
        """Whose token an Authorization header carries; every known token is compared, in constant time each."""
        scheme, _, value = authorization.partition(" ")
        given = value.strip().encode()
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).partition(b":")[2]
            except binascii.Error:
                return None
        elif scheme.lower() != "bearer":
            return None
        found = [(name, rights) for name, token, rights in self._known if secrets.compare_digest(given, token)]
        if not found:
            return None
        return Caller(found[0][0], frozenset().union(*(rights for _, rights in found)), scheme.lower() == "bearer")


class Guard:
    """ASGI middleware: adds the headers to every answer, and answers itself what may not pass.

    A token comes as `Authorization: Bearer …`, or as the password of basic authentication so that a browser can ask
    for it; that way it may only read. requests_per_minute: of one caller; None: no limit. hosts: names of this service,
    beside addresses and names without a dot, one of which a caller without a token must use; None: any will do.
    request_timeout: seconds for a body.
    """

    def __init__(
        self,
        app: ASGIApp,
        tokens: Tokens,
        requests_per_minute: int | None = None,
        hosts: frozenset[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        request_timeout: float = 30.0,
    ) -> None:
        self._request_timeout = request_timeout
        self._app = app
        self._tokens = tokens
        self._hosts = hosts
        self._buckets = Buckets(requests_per_minute, clock) if requests_per_minute is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, with `state.caller`."""
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

        headers = Headers(scope=scope)
        caller = self._tokens.caller(headers.get("authorization", ""))
        scope.setdefault("state", {})["caller"] = caller
        path, method = scope["path"], scope["method"]
        if method in _WITH_BODY and path not in UPLOAD_PATHS:
            receive = _capped(receive, self._request_timeout)
        refusal = None
        if path not in OPEN_PATHS:
            refusal = (
                self._throttled(scope, caller)
                or self._astray(headers, path, method, caller)
                or self._refusal(path, method, caller)
            )
        with suppress(ClientDisconnect):  # gone in the middle of an upload: nobody is left to be told
            await (refusal or self._app)(scope, receive, send_guarded)

    def _throttled(self, scope: Scope, caller: Caller | None) -> JSONResponse | None:
        if self._buckets is None:
            return None
        wait = self._buckets.take(key_of(scope, caller))
        if wait <= 0:
            return None
        return problem(
            429,
            "too many requests (http.requests_per_minute); try again when Retry-After is over",
            {"Retry-After": str(max(1, round(wait + 0.5)))},
        )

    def _astray(self, headers: Headers, path: str, method: str, caller: Caller | None) -> JSONResponse | None:
        """Refuse what another site makes a browser send; who knows a token is not led by one.

        Prometheus asks for figures by whatever name its configuration says.
        """
        if caller is not None or path == METRICS_PATH:
            return None
        if self._hosts is not None and not is_own(headers.get("host", ""), self._hosts):
            return problem(403, "this service is not known under that host name; add it to http.allowed_hosts")
        if method in _WITH_BODY and headers.get("sec-fetch-site", "").lower() == "cross-site":
            return problem(403, "a page of another site may send nothing here")
        return None

    def _refusal(self, path: str, method: str, caller: Caller | None) -> JSONResponse | None:
        if path in INGEST_PATHS and method == "POST":
            return self._ingest_refusal(caller)
        if self._tokens.reading_is_open or (caller is not None and "read" in caller.rights):
            return None
        acts = method == "POST" and path not in UPLOAD_PATHS  # an action, whose endpoint asks for one scope alone
        if acts and caller is not None and "operate" in caller.rights:
            return None
        if caller is not None:
            return problem(403, "this token may not read (scope read)")
        token = "write token (http.write_token)" if acts else "read token (http.read_token)"
        return problem(401, f"send the {token} as a bearer token", _BASIC)

    def _ingest_refusal(self, caller: Caller | None) -> JSONResponse | None:
        if caller is not None and caller.bearer and "ingest" in caller.rights:
            return None
        if not self._tokens.grants("ingest"):
            return problem(403, "nothing may be brought in over HTTP; set http.ingest_token in config.yaml")
        if caller is not None and caller.bearer:
            return problem(403, "this token may not bring anything in (scope ingest); send http.ingest_token")
        return problem(401, "send the ingest token (http.ingest_token) as a bearer token", _BEARER)


def key_of(scope: Scope, caller: Caller | None) -> str:
    """Whose requests count together: a token's or, without one that is known, an address's; so guessing is slow."""
    client = scope.get("client")
    return f"token {caller.name}" if caller is not None else f"address {caller_of(client[0]) if client else ''}"


def _capped(receive: Receive, seconds: float) -> Receive:
    """The body, which FastAPI reads whole before it asks for a token.

    HTTPException: 413 once it is too long, 408 when it is not whole after so many seconds.
    """
    total = 0
    whole = False
    until = time.monotonic() + seconds

    async def receive_capped() -> Message:
        nonlocal total, whole
        if whole:
            return await receive()  # waits for the caller to go, as long as it takes to answer
        try:
            async with asyncio.timeout(until - time.monotonic()):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not arrive within {seconds:g} s") from None
        whole = not message.get("more_body", False)
        total += len(message.get("body", b""))
        if total > MOST_JSON:
            raise HTTPException(413, f"the body is longer than {MOST_JSON} bytes")
        return message

    return receive_capped


class Operators:
    """A dependency of every endpoint that changes state: gives the caller's name, for the audit."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, request: Request) -> str:
        """Raises HTTPException: 403 when the API changes nothing or the token may not, 401 without a token."""
        caller: Caller | None = request.state.caller
        if caller is not None and caller.bearer and "operate" in caller.rights:
            return caller.name
        if not self._tokens.grants("operate"):
            raise HTTPException(403, "the API changes nothing until http.write_token is set; the command line does")
        if caller is not None and caller.bearer:
            raise HTTPException(403, "this token may not change state (scope operate); send http.write_token")
        raise HTTPException(401, "send the write token (http.write_token) as a bearer token", _BEARER)


def _bytes(token: SecretStr) -> bytes:
    return token.get_secret_value().encode()
