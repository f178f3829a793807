"""Fetching what somebody else named: checked addresses, capped bytes and time, patient with servers in trouble."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ssl import PROTOCOL_TLS_CLIENT, SSLContext

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from adapters.addresses import RefusedAddress, Resolve, addresses_of, lookup, shown
from adapters.cutting import Cutter

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})  # worth another attempt
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_MOST_CLIENTS = 32  # connections to so many servers are kept open


class FetchRefused(Exception):
    """Cannot be had and another attempt would not help; `reason` is a word of REASONS."""

    def __init__(self, reason: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class Unavailable(Exception):
    """The server is in trouble or asks to wait; another attempt may help."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait  # seconds that the server asked for


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer."""

    url: str  # after redirects
    content: bytes
    headers: httpx.Headers


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How much patience there is."""

    deadline: float = 30.0  # seconds for one attempt
    attempts: int = 4
    first_wait: float = 0.5  # seconds before the second attempt, then doubled, with jitter
    longest_wait: float = 30.0  # seconds; a server that asks for more is given up
    interval: float = 0.0  # seconds between two requests


@dataclass(slots=True)
class Fetcher:
    """Fetches over http(s); every redirect is checked like the first address, no proxy is used."""

    limits: FetchLimits
    allowed: Collection[str] = ()  # hosts that may speak plain http and may lie in the own network
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # origin -> headers for it alone
    resolve: Resolve = lookup
    sleep: Callable[[float], None] = time.sleep
    _clients: dict[tuple[str, str], tuple[httpx.Client, Cutter]] = field(default_factory=dict)
    _context: SSLContext | None = None
    _last: float = float("-inf")

    def get(self, url: str, max_bytes: int) -> Fetched:
        """Fetch with retries. Raises FetchRefused, Unavailable."""
        first = self.limits.first_wait
        backoff = wait_exponential(multiplier=first, max=self.limits.longest_wait) + wait_random(0, first)

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome is not None else None
            return max(backoff(state), error.wait if isinstance(error, Unavailable) else 0.0)

        def asks_too_much(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome is not None else None
            return isinstance(error, Unavailable) and error.wait > self.limits.longest_wait

        attempts = Retrying(
            stop=lambda state: stop_after_attempt(self.limits.attempts)(state) or asks_too_much(state),
            wait=pause,
            retry=retry_if_exception_type(Unavailable),
            sleep=self.sleep,
            reraise=True,
        )
        return attempts(self._follow, url, max_bytes)

    def close(self) -> None:
        """Close every connection."""
        for client, cutter in self._clients.values():
            client.close()
            cutter.close()
        self._clients.clear()

    def _follow(self, url: str, max_bytes: int) -> Fetched:
        until = time.monotonic() + self.limits.deadline
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._once(url, max_bytes, until)
            if isinstance(answer, Fetched):
                return answer
            url = answer
        raise FetchRefused("unreadable", f"{shown(url)}: more than {_MOST_REDIRECTS} redirects")

    def _once(self, url: str, max_bytes: int, until: float) -> Fetched | str:
        try:
            parsed = httpx.URL(url)
            host, port = parsed.host, parsed.port or {"https": 443, "http": 80}.get(parsed.scheme, 0)
            if not host:
                raise ValueError("it names no server")
            addresses = addresses_of(parsed.scheme, host, port, self.allowed, self.resolve)
        except (httpx.InvalidURL, ValueError, TypeError, UnicodeError) as error:
            raise FetchRefused("bad_record", f"{shown(url)}: no address: {error}") from None
        except RefusedAddress as error:
            raise FetchRefused("bad_record", str(error)) from None
        except OSError as error:
            raise Unavailable(f"{host}: cannot be resolved: {error.strerror or error}") from None
        self._keep_the_interval()
        for number, address in enumerate(addresses):
            try:
                return self._request(parsed, address, max_bytes, until)
            except httpx.ConnectError as error:
                if number == len(addresses) - 1:
                    raise Unavailable(f"{host}: {error or 'cannot be connected to'}") from None
            except httpx.HTTPError as error:
                if time.monotonic() >= until:
                    raise Unavailable(f"{shown(url)}: took over {self.limits.deadline:g} s") from None
                raise Unavailable(f"{host}: {type(error).__name__}: {error}") from None
            except (httpx.InvalidURL, ValueError) as error:  # raised where the client reads `Location`
                raise FetchRefused("unreadable", f"{shown(url)}: leads to what is no address: {error}") from None
        raise Unavailable(f"{host}: stands for no address")

    def _request(self, url: httpx.URL, address: str, max_bytes: int, until: float) -> Fetched | str:
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        headers = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity", **self.headers.get(origin, {})}
        pinned = url.copy_with(host=address, userinfo=b"", fragment=None)
        left = max(until - time.monotonic(), 0.001)
        client, cutter = self._client(origin, address)
        extensions = {"sni_hostname": url.host, "trace": cutter.trace}
        with (
            cutter.after(left),
            client.stream("GET", pinned, headers=headers, extensions=extensions, timeout=min(left, 10.0)) as answer,
        ):
            if answer.status_code in _REDIRECTS and "location" in answer.headers:
                return str(url.join(answer.headers["location"]))
            self._check(answer, url)
            return Fetched(str(url), self._body(answer, url, max_bytes, until), answer.headers)

    def _check(self, answer: httpx.Response, url: httpx.URL) -> None:
        where = f"{shown(str(url))}: {answer.status_code} {answer.reason_phrase}"
        if answer.status_code in _BUSY:
            raise Unavailable(where, asked_wait(answer.headers.get("retry-after")))
        if answer.status_code != 200:
            raise FetchRefused("unreadable", where, answer.status_code)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise FetchRefused("unreadable", f"{shown(str(url))}: compressed although that was not asked for")

    def _body(self, answer: httpx.Response, url: httpx.URL, max_bytes: int, until: float) -> bytes:
        body = bytearray()
        for chunk in answer.iter_raw():
            body += chunk
            if len(body) > max_bytes:
                raise FetchRefused("too_many_bytes", f"{shown(str(url))}: over {max_bytes:,} bytes")
            if time.monotonic() > until:
                raise Unavailable(f"{shown(str(url))}: took over {self.limits.deadline:g} s")
        return bytes(body)

    def _client(self, origin: str, address: str) -> tuple[httpx.Client, Cutter]:
        # one per server name: a connection made for one name must not serve another that has the same address
        key = (origin, address)
        if key not in self._clients:
            if len(self._clients) >= _MOST_CLIENTS:
                self.close()
            if origin.startswith("https:"):
                self._context = self._context or httpx.create_ssl_context(trust_env=False)
            # without TLS an empty context, which trusts nobody: reading the certificates takes 50 ms
            verify = self._context or SSLContext(PROTOCOL_TLS_CLIENT)
            client = httpx.Client(verify=verify, trust_env=False, follow_redirects=False)
            self._clients[key] = client, Cutter()
        return self._clients[key]

    def _keep_the_interval(self) -> None:
        wait = self._last + self.limits.interval - time.monotonic()
        if wait > 0:
            self.sleep(wait)
        self._last = time.monotonic()


def asked_wait(text: str | None) -> float:
    """Return the seconds of a Retry-After header: a number or a date; 0 when there is none."""
    if text is None:
        return 0.0
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
