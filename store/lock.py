"""One process per state directory. The kernel drops the lock when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import datetime
from pathlib import Path
from types import TracebackType

from daemon.errors import ConfigurationError, StateLocked
from store.layout import Layout


class StateLock:
    """Held from construction to `close`. Raises StateLocked, naming the holder, when it cannot be had."""

    def __init__(self, root: Path, started_at: datetime) -> None:
        layout = Layout(root)
        self._descriptor: int | None = None
        try:
            root.mkdir(parents=True, exist_ok=True)
            # Not inherited: a child that outlives the service must not keep the directory locked.
            self._descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigurationError(f"state directory {root} cannot be used ({error.strerror})") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 4096, 0).decode(errors="replace")
            self.close()
            raise StateLocked(f"{root} is in use by {_describe(holder)}; stop that process first") from error
        note = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started_at": started_at.isoformat()})
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, note.encode(), 0)

    def close(self) -> None:
        """Release; the file stays, so that two processes never lock two different files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> StateLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_held(root: Path) -> bool:
    """Whether the process that last took the lock is alive on this machine; asks, takes nothing."""
    try:
        note = json.loads(Layout(root).lock.read_bytes())
        if note["host"] != socket.gethostname():
            return False
        os.kill(int(note["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def last_start(root: Path) -> float:
    """When the newest holder of the lock started, Unix seconds; 0 when nobody ever held it."""
    try:
        note = json.loads(Layout(root).lock.read_bytes())
        return datetime.fromisoformat(note["started_at"]).timestamp()
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0.0


def _describe(note: str) -> str:
    try:
        holder = json.loads(note)
        return f"process {holder['pid']} on {holder['host']} since {holder['started_at']}"
    except (ValueError, KeyError, TypeError):
        return "another process"  # caught between taking the lock and writing the note
