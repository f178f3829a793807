"""Callers who send slowly or nothing, do not read, or come in hundreds: everybody else is answered."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import TemporaryError
from daemon.web import WebServer, create_app, protocol
from daemon.web.connections import Connections
from daemon.web.rate import Buckets
from daemon.web.waiting import Room
from tests.unit.web.service import FakeService

PATIENCE = 30.0  # seconds until a test gives up
PICTURE = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 900\r\n\r\nbeginning"
OBJECT = (
    b"POST /v1/models/rollback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
)
UNWANTED = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nbeginning"
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nX-"


@contextmanager
def served(
    request_timeout: float = PATIENCE, connections: int = 512, of_one: int | None = 128, **options: object
) -> Iterator[WebServer]:
    app = create_app(FakeService(), request_timeout=request_timeout, **options)  # type: ignore[arg-type]
    server = WebServer(app, "127.0.0.1", 0, connections=connections, of_one=of_one, request_timeout=request_timeout)
    server.start()
    try:
        yield server
    finally:
        server.stop(1.0)


def connected(server: WebServer, sent: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
    caller = socket.create_connection((server.host, server.port), timeout=PATIENCE, source_address=(address, 0))
    if sent:
        caller.sendall(sent)
    return caller


def last_word(caller: socket.socket, keep_sending: bytes = b"") -> bytes:
    """What is said until the connection is closed, to a caller who sends a byte now and then."""
    heard = b""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if select.select([caller], [], [], 0.05)[0]:
            try:
                more = caller.recv(65536)
            except ConnectionResetError:
                return heard
            if not more:
                return heard
            heard += more
        elif keep_sending:
            try:
                caller.send(keep_sending)
            except OSError:  # closed, with more of ours on the way
                return heard
    raise AssertionError(f"the connection stayed open; heard {heard!r}")


def answers(server: WebServer) -> list[int]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as client:
        asked = [client.get(path).status_code for path in ("/healthz", "/metrics", "/v1/status", "/")]
        score = client.post("/v1/score", content=b"one", headers={"content-type": "image/png"})
        return [*asked, score.status_code]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (HEAD, b"HTTP/1.1 408 "),
        (PICTURE, b"HTTP/1.1 408 "),
        (OBJECT, b"HTTP/1.1 408 "),
        (UNWANTED, b"HTTP/1.1 200 "),
    ],
    ids=["nothing", "head", "picture", "object", "unwanted body"],
)
def test_who_is_too_slow_is_told_and_cut_off(monkeypatch: pytest.MonkeyPatch, sent: bytes, said: bytes) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "_GRACE", 0.5)
    with served(0.5) as server, closing(connected(server, sent)) as caller:
        heard = last_word(caller, b"x" if sent else b"")
        assert heard.startswith(said)
        assert bool(heard) == bool(said)
        if b" 408 " in said:
            assert b"application/problem+json" in heard
            assert b"did not arrive" in heard
        assert answers(server) == [200] * 5


def test_a_keep_alive_connection_begins_anew_with_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 1.0)
    with served() as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        began = time.monotonic()
        while time.monotonic() < began + 2.0:
            assert client.get("/healthz").status_code == 200
            time.sleep(0.2)


@pytest.mark.parametrize("sent", [b"", HEAD, PICTURE, OBJECT], ids=["nothing", "head", "picture", "object"])
@pytest.mark.parametrize("addresses", [1, 40], ids=["one", "many"])
def test_hundreds_who_wait_keep_nobody_out(sent: bytes, addresses: int) -> None:
    with served(connections=64, of_one=16) as server, ExitStack() as stack:
        for number in range(300):
            stack.enter_context(closing(connected(server, sent, f"127.2.0.{number % addresses + 1}")))
        assert answers(server) == [200] * 5


def test_one_beyond_the_limit_closes_who_waited_longest_of_the_same_address() -> None:
    with served(of_one=2) as server, ExitStack() as stack:
        other = stack.enter_context(closing(connected(server, HEAD, "127.2.0.2")))
        first = stack.enter_context(closing(connected(server, HEAD)))
        time.sleep(0.5)  # until what it says is read
        second, third = (stack.enter_context(closing(connected(server, HEAD))) for _ in range(2))
        heard = last_word(first)
        assert heard.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after" in heard.lower()
        for open_one in (other, second, third):
            open_one.sendall(b"y: 1\r\nConnection: close\r\n\r\n")
            assert last_word(open_one).startswith(b"HTTP/1.1 200 ")


def test_who_does_not_read_the_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    large = b"x" * 20_000_000
    monkeypatch.setattr(FakeService, "exposition", lambda self: (large, "text/plain"))
    with served(0.3) as server, closing(socket.socket()) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect((server.host, server.port))
        caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2.0)  # reads nothing
        assert len(last_word(caller)) < len(large)
    with served(0.3) as server:  # and who reads gets all of it
        assert httpx.get(f"{server.url}/metrics", trust_env=False).content == large


def test_uploads_of_others_take_no_place_and_one_caller_has_half_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 1.0)
    room = 2 * (1024 * 1024 + 64 * 1024)  # as the application counts it: an offer may be as large as that
    half = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % (room // 2)
    with served(max_upload=2**20, scores_at_once=2) as server, ExitStack() as stack:
        slow = stack.enter_context(
            closing(connected(server, half.replace(b"%d" % (room // 2), b"1048576"), "127.2.0.2"))
        )
        slow.sendall(b"x" * 1_000_000)
        until = time.monotonic() + PATIENCE
        own = [503]
        while own[-1] == 503 and time.monotonic() < until:
            own = answers(server)
        assert own == [200] * 5
        again = connected(server, b"", "127.2.0.2")
        stack.enter_context(closing(again))
        again.sendall(half.replace(b"%d" % (room // 2), b"1048576") + b"x" * 500_000)
        assert b" 503 " in last_word(again).partition(b"\r\n")[0]
        slow.sendall(b"x" * 48_576)
        assert slow.recv(100).startswith(b"HTTP/1.1 200 ")


def test_who_leaves_in_the_middle_of_an_upload_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), served() as server:
        connected(server, PICTURE).close()
        connected(server, OBJECT).close()
        assert answers(server) == [200] * 5
    assert caplog.messages == []


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abc"), st.sampled_from(["add", "works", "remove"]))))
def test_never_more_than_the_limits_and_nobody_at_work_is_closed(steps: list[tuple[int, str, str]]) -> None:
    connections = Connections[int](6, 3)
    of: dict[int, str] = {}
    works: set[int] = set()
    for number, caller, step in steps:
        if step == "add" and number not in of:
            gone = connections.add(number, caller)
            assert gone is None or gone not in works
            of[number] = caller
            if gone is not None:
                del of[gone]
        elif step == "works" and number in of:
            connections.works(number)
            works.add(number)
        elif step == "remove":
            connections.remove(number)
            of.pop(number, None)
            works.discard(number)
        assert len(connections) == len(of) <= 6
        assert all(list(of.values()).count(one) <= 3 for one in "abc")


def test_a_proxy_is_not_held_to_what_one_caller_may_have() -> None:
    connections = Connections[int](6, 2)
    assert [connections.add(number, "proxy", limited=False) for number in range(6)] == [None] * 6
    assert connections.add(6, "other") == 0


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 50))))
def test_the_room_is_free_again_when_all_is_over(chunks: list[tuple[str, int]]) -> None:
    room = Room(100, 60)
    with ExitStack() as stack:
        takes: dict[str, Callable[[int], None]] = {one: stack.enter_context(room.of(one)) for one in "ab"}
        held = {"a": 0, "b": 0}
        for caller, size in chunks:
            fits = held[caller] + size <= 60 and sum(held.values()) + size <= 100
            try:
                takes[caller](size)
            except TemporaryError:
                assert not fits
            else:
                assert fits
                held[caller] += size
    with room.of("a") as take:
        take(60)


def test_an_ipv6_network_is_one_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastapi.testclient import TestClient

    app = create_app(FakeService(), requests_per_minute=2)

    def asked(addresses: list[str]) -> list[int]:
        return [
            TestClient(app, client=(address, 1)).get("/v1/jobs", headers={"host": "x"}).status_code
            for address in addresses
        ]

    assert asked([f"2001:db8:0:1::{n}" for n in range(1, 4)]) == [200, 200, 429]
    assert asked(["2001:db8:0:2::1", "192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "192.0.2.1"]) == [200] * 4 + [429]


def test_buckets_forget_who_was_silent_longest() -> None:
    now = [0.0]
    buckets = Buckets(1, lambda: now[0])
    assert [buckets.take(str(n)) for n in range(10_001)] == [0.0] * 10_001
    assert buckets.take("10000") > 0
    assert buckets.take("0") == 0.0
