"""What a child process sets up before its work: it dies with its parent, leaves signals to it, speaks frames."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from daemon.children import frames
from daemon.errors import ImageRejected, SidwatchError

PARENT_VARIABLE = "SIDWATCH_PARENT_PID"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# A child that decodes or polls is a better victim than the service when the machine runs out of memory.
_OUT_OF_MEMORY_SCORE = b"500"


class Host:
    """The child's end of the pipes; one request at a time."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self._requests = requests
        self._replies = replies
        # One slot: the parent waits for a reply before it asks again.
        self._waiting: queue.Queue[frames.Frame] = queue.Queue(maxsize=1)
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    @classmethod
    def take_over(cls) -> Host:
        """Tie this process to its parent and take the pipes away from stdin and stdout."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # The parent started this process with both blocked, so that none could come before these two lines.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        _die_with_the_parent()
        requests = os.fdopen(os.dup(0), "rb", buffering=0)
        replies = os.fdopen(os.dup(1), "wb", buffering=0)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)  # a library that prints must not break into a frame
        return cls(requests, replies)

    def receive(self) -> frames.Frame:
        """The next request; the process ends when the parent closes the pipe or goes away."""
        return self._waiting.get()

    def send(self, header: Mapping[str, Any], parts: Sequence[bytes] = ()) -> None:
        """Answer."""
        for piece in frames.pack(header, parts):
            view = memoryview(piece)
            while view:
                written = self._replies.write(view)
                view = view[written or 0 :]

    def send_error(self, error: SidwatchError) -> None:
        """Answer with an error that the parent raises again as the same type."""
        header: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
        if isinstance(error, ImageRejected):
            header |= {"reason": error.reason, "detail": error.detail}
        self.send(header)

    def _read(self) -> None:
        # On its own thread, so that the end of the parent is noticed in the middle of work too.
        try:
            while (frame := frames.read(self._take, frames.Limits())) is not None:
                self._waiting.put(frame)
        except (frames.BadFrame, OSError) as error:
            print(f"the parent's pipe broke: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)

    def _take(self, size: int) -> bytes | None:
        data = bytearray()
        while len(data) < size:
            piece = self._requests.read(min(size - len(data), 2**20))
            if not piece:
                if data:
                    raise frames.BadFrame("ends in the middle")
                return None
            data += piece
        return bytes(data)


def _die_with_the_parent() -> None:
    """SIGKILL from the kernel when the parent is gone (Linux); elsewhere the end of stdin tells."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_PDEATHSIG, signal.SIGKILL), (_PR_SET_CHILD_SUBREAPER, 1)):
        # As subreaper this process keeps the orphans of its own children below it, where the parent finds them.
        if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != int(os.environ[PARENT_VARIABLE]):
        os._exit(1)  # the parent died before the kernel was told
    score = Path("/proc/self/oom_score_adj")
    if os.access(score, os.W_OK):
        score.write_bytes(_OUT_OF_MEMORY_SCORE)
