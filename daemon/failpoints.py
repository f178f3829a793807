"""Failpoints: named places at which a test has the process killed, to prove that nothing is lost or half done there.

`SIDWATCH_FAILPOINT=NAME` ends the process by SIGKILL at its first passage of NAME, `NAME:3` at the third; a
process that leads its group takes the group along. `SIDWATCH_FAILPOINT_TRACE=FILE` appends every passage's
name to a file.
Without these variables of the environment a failpoint does nothing.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

_lock = threading.Lock()
_passed: dict[str, int] = {}  # name -> passages so far


def failpoint(name: str) -> None:
    """Pass a named place; it is the last thing that happens when a test wants it so."""
    wanted, trace = os.environ.get("SIDWATCH_FAILPOINT"), os.environ.get("SIDWATCH_FAILPOINT_TRACE")
    if wanted is None and trace is None:
        return
    with _lock:
        _passed[name] = count = _passed.get(name, 0) + 1
        if trace is not None:
            with Path(trace).open("a", encoding="utf-8") as file:
                file.write(name + "\n")
    if wanted == f"{name}:{count}" or (count == 1 and wanted == name):
        _die()


def _die() -> None:
    own = os.getpid()
    if os.getpgrp() == own:
        os.killpg(own, signal.SIGKILL)
    os.kill(own, signal.SIGKILL)
