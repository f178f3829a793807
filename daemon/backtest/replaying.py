"""The parent's side of the replays: each policy in a process of its own, so that they do not wait for each other."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from daemon.backtest.calendar import Entry
from daemon.backtest.policies import Policy
from daemon.backtest.progress import Progress, load_progress, progress_file
from daemon.backtest.side_by_side import side_by_side
from daemon.children import Child
from daemon.children.environment import KEEPS_MEMORY
from daemon.errors import ChildFailed
from daemon.ports import Progress as Told
from daemon.settings import Settings

# A replay has an adapter, a clock and a store of its own, and tells nobody: it is given no address and no secret.
_NOT_GIVEN = {"store", "clock", "adapters", "http", "log", "schedule", "notify"}
# One thread of linear algebra for each process: the replays themselves are what runs side by side.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Ground:
    """What all replays of one collection share."""

    settings: Settings
    entries: tuple[Entry, ...]
    period: int
    weeks: int
    manifest: Path
    files: Path  # the folder whose derived files hold pictures and vectors
    fingerprint: str  # of the encoder
    folder: Path  # each policy has one in it


def replay_all(ground: Ground, policies: Sequence[Policy], told: Told) -> dict[str, Progress]:
    """Replay the policies in this order, as many at once as there are processors; returns what each found, by name.

    told: of the deliveries that each has dealt with; called from several threads. The first error ends the others
    and is raised, as is an interrupt: what a replay has done is in its folder.
    Raises ChildFailed, CorruptArtifact, StateLocked and whatever else a replay ends with.
    """
    running = _Running()
    tasks = [partial(_replayed, ground, policy, running, told) for policy in policies]
    found = side_by_side(tasks, processors(), running.end)
    return {policy.name: own for policy, own in zip(policies, found, strict=True)}


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform.startswith("linux") else os.cpu_count() or 1


def _replayed(ground: Ground, policy: Policy, running: _Running, told: Told) -> Progress:
    folder = ground.folder / policy.name
    found = load_progress(progress_file(folder))
    if found.outcome is not None:
        return found
    child = running.start(policy.name, _arguments(ground, policy, folder))
    try:
        frame = child.request({}, [json.dumps([asdict(entry) for entry in ground.entries]).encode()])
        while "over" not in frame.header:
            told(policy.name, int(frame.header["done"]), int(frame.header["of"]))
            frame = child.receive()
    except ChildFailed as error:
        raise ChildFailed(f"the replay of {policy.name}: {error}; the same command goes on from there") from error
    finally:
        child.close(grace=0.5)
    return load_progress(progress_file(folder))


def _arguments(ground: Ground, policy: Policy, folder: Path) -> dict[str, object]:
    return {
        "settings": ground.settings.model_dump(mode="json", exclude=_NOT_GIVEN),
        "policy": policy.name,
        "period": ground.period,
        "weeks": ground.weeks,
        "manifest": str(ground.manifest),
        "files": str(ground.files.resolve()),
        "fingerprint": ground.fingerprint,
        "folder": str(folder.resolve()),
    }


class _Running:
    """The children, to be ended together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: list[Child] = []
        self._ended = False

    def start(self, name: str, arguments: dict[str, object]) -> Child:
        """Start one. Raises ChildFailed, also once all were ended."""
        with self._lock:
            if self._ended:
                raise ChildFailed(f"the replay of {name} was not begun")
            # How long a delivery may take nobody knows, and each replay's size is that of its collection.
            child = Child(
                "replay", arguments, deadline=math.inf, memory_limit=0, environment={**_ONE_THREAD, **KEEPS_MEMORY}
            )
            self._children.append(child)
            return child

    def end(self) -> None:
        """Kill all, whatever they are at: a replay may be killed anywhere."""
        with self._lock:
            self._ended = True
            for child in self._children:
                child.kill("died", "was ended with the others")
