"""The parent's ends of a child's pipes: never blocked for longer than the child lives."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from typing import IO

from daemon.children import frames

_LOOK_UP = 500  # milliseconds between two questions whether the child is still there
_CHUNK = 2**20
_AHEAD = 2**16  # bytes read at least, if they are there: the small pieces of a frame come with one call


class Pipe:
    """Frames out to one stream and in from another, given up when `gone()` says so.

    Without that, a process that the child left behind could hold the pipe open and the reader with it.
    """

    def __init__(self, requests: IO[bytes], replies: IO[bytes], limits: frames.Limits, gone: Callable[[], bool]):
        self._requests = requests
        self._replies = replies
        self._limits = limits
        self._gone = gone
        self._read = bytearray()  # what came and was not taken yet
        os.set_blocking(requests.fileno(), False)
        os.set_blocking(replies.fileno(), False)
        self._writable = _poll_of(requests, select.POLLOUT)
        self._readable = _poll_of(replies, select.POLLIN)

    def send(self, pieces: Sequence[bytes]) -> bool:
        """Write all pieces; False when the child went away before it took them."""
        descriptor = self._requests.fileno()
        for piece in pieces:
            view = memoryview(piece)
            while view:
                if not self._writable.poll(_LOOK_UP):
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
        return frames.read(self._take, self._limits)

    def close(self) -> None:
        """Close both ends; the child sees the end of its stdin."""
        for stream in (self._requests, self._replies):
            stream.close()

    def close_requests(self) -> None:
        """Tell the child that nothing more will come."""
        self._requests.close()

    def _take(self, size: int) -> bytes | None:
        while len(self._read) < size:
            if not self._readable.poll(_LOOK_UP):
                if self._gone():
                    return None
                continue
            piece = os.read(self._replies.fileno(), min(max(size - len(self._read), _AHEAD), _CHUNK))
            if not piece:
                if self._read and not self._gone():
                    raise frames.BadFrame("ends in the middle")
                return None
            self._read += piece
        taken = bytes(self._read[:size])
        del self._read[:size]
        return taken


def _poll_of(stream: IO[bytes], event: int) -> select.poll:
    poll = select.poll()
    poll.register(stream.fileno(), event)
    return poll
