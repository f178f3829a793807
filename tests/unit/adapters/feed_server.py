"""A small HTTP server on this machine that serves a feed and its pictures, and misbehaves on request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Site:
    """What it answers, path with query -> answer or what makes one, and what it was asked."""

    port: int
    answers: dict[str, Answer | Callable[[BaseHTTPRequestHandler], Answer | None]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # of what was posted
    otherwise: Callable[[BaseHTTPRequestHandler], Answer | None] | None = None  # answers every other path

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@contextmanager
def serving() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append((self.path, dict(self.headers)))
            answer = site.answers.get(self.path, site.otherwise or (404, {}, b""))
            made = answer if isinstance(answer, tuple) else answer(self)
            if made is None:
                self.close_connection = True
                return
            status, headers, body = made
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            site.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Send headers without end, a byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    _until_gone(handler, b"x", 0.05)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Send a body without end, quickly."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    _until_gone(handler, b"x" * 65536, 0.0)


def _until_gone(handler: BaseHTTPRequestHandler, piece: bytes, pause: float) -> None:
    give_up = time.monotonic() + 20
    try:
        while time.monotonic() < give_up:
            handler.wfile.write(piece)
            time.sleep(pause)
    except OSError:
        return
