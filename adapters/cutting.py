"""Cutting a connection off at a deadline, whatever it is busy with: a server may send one byte every few seconds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any


class Cutter:
    """Holds a second handle on one client's connection. It survives the step to TLS, which takes the first away."""

    def __init__(self) -> None:
        self._handle: socket.socket | None = None

    def trace(self, event: str, details: Mapping[str, Any]) -> None:
        """Take note of a new connection: httpx's extension `trace`."""
        if event == "connection.connect_tcp.complete":
            self.close()
            self._handle = details["return_value"].get_extra_info("socket").dup()

    @contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        """Shut the connection down when the block takes longer; what reads from it then gets an error."""
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """Let go of the handle."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _cut(self) -> None:
        if self._handle is not None:
            with suppress(OSError):  # the other side was faster
                self._handle.shutdown(socket.SHUT_RDWR)
