"""The parent's ends of a child's pipes: never blocked for longer than the child lives."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable, Sequence
from typing import IO

from daemon.children import frames

_LOOK_UP = 0.5  # seconds between two questions whether the child is still there
_CHUNK = 2**20


class Pipe:
    """Frames out to one stream and in from another, given up when `gone()` says so.

    Without that, a process that the child left behind could hold the pipe open and the reader with it.
    """

    def __init__(self, requests: IO[bytes], replies: IO[bytes], limits: frames.Limits, gone: Callable[[], bool]):
        self._requests = requests
        self._replies = replies
        self._limits = limits
        self._gone = gone
        os.set_blocking(requests.fileno(), False)
        os.set_blocking(replies.fileno(), False)

    def send(self, pieces: Sequence[bytes]) -> bool:
        """Write all pieces; False when the child went away before it took them."""
        descriptor = self._requests.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_WRITE)
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    if not selector.select(_LOOK_UP):
                        if self._gone():
                            return False
                        continue
                    try:
                        view = view[os.write(descriptor, view[:_CHUNK]) :]
                    except BlockingIOError:
                        continue  # room for less than one atomic write: wait again
                    except BrokenPipeError:
                        return False
        return True

    def receive(self) -> frames.Frame | None:
        """The next frame; None when the child went away; BadFrame when it sent something else."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies.fileno(), selectors.EVENT_READ)

            def take(size: int) -> bytes | None:
                data = bytearray()
                while len(data) < size:
                    if not selector.select(_LOOK_UP):
                        if self._gone():
                            return None
                        continue
                    piece = os.read(self._replies.fileno(), min(size - len(data), _CHUNK))
                    if not piece:
                        if data and not self._gone():
                            raise frames.BadFrame("ends in the middle")
                        return None
                    data += piece
                return bytes(data)

            return frames.read(take, self._limits)

    def close(self) -> None:
        """Close both ends; the child sees the end of its stdin."""
        for stream in (self._requests, self._replies):
            stream.close()

    def close_requests(self) -> None:
        """Tell the child that nothing more will come."""
        self._requests.close()
