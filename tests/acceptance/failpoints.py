"""A command that is killed by SIGKILL at every failpoint it passes, on copies of a prepared state.

Undisturbed, it tells which failpoints it passes and how often; then it is killed at each of these passages, and run
again. The processes are forked from one that has imported the program, which saves most of the time; each runs the
command's own `main` in a process group of its own.
"""

from __future__ import annotations

import ast
import multiprocessing
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from daemon.app import verify_store
from daemon.settings import load
from tests.integration.world import DIMENSION, FINGERPRINT, World, beginning

ROOT = Path(__file__).parents[2]
FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["daemon.cli", "daemon.operations", "daemon.app", "daemon.wiring"])
SHADOW = {"mode": "shadow", "shadow_samples": 60}
RUN = ("run", "--until-idle")
BY_HAND = ("--reason", "the test says so")


@dataclass(frozen=True)
class Scenario:
    """A command on a prepared state."""

    name: str
    prepare: Callable[[World], None]
    command: tuple[str, ...]
    mode: str = "auto"
    most_per_point: int = 2  # of more passages of one failpoint, the first half and the last half of these are killed


def in_code() -> set[str]:
    """The names of all failpoints, from the source."""
    calls = (
        node
        for folder in ("daemon", "store")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint"
    )
    return {str(call.args[0].value) for call in calls if isinstance(call.args[0], ast.Constant)}


def _main(arguments: list[str], folder: str, env: dict[str, str]) -> None:
    """The command's own `main`, in a group of its own, its output in `folder`."""
    os.setsid()
    os.chdir(folder)
    os.environ.update(env)
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
    from daemon.cli import main

    sys.argv = ["sidwatch", *arguments]
    main()


def execute(command: tuple[str, ...], folder: Path, **env: str) -> int:
    """Run a command to its end; returns its exit status, negative: the signal that ended it."""
    arguments = [*command, "--config", "config.yaml"]
    process = FORKSERVER.Process(target=_main, args=(arguments, str(folder), env))
    process.start()
    process.join(300)
    assert process.exitcode is not None, "the command hangs"
    return process.exitcode


def whole(folder: Path) -> None:
    """`sidwatch verify --deep` has nothing to say."""
    assert [check for check in verify_store(load(folder / "config.yaml"), deep=True) if not check.ok] == []


def killed(command: tuple[str, ...], folder: Path, point: str) -> None:
    """Run a command that is killed at NAME:N."""
    status = execute(command, folder, SIDWATCH_FAILPOINT=point)
    assert status == -signal.SIGKILL, f"{point}: exit {status}\n{(folder / 'stderr').read_text()[-2000:]}"


def finished(command: tuple[str, ...], folder: Path, why: str) -> None:
    """Run a command that ends well."""
    assert execute(command, folder) == 0, f"{why}: {(folder / 'stderr').read_text()[-2000:]}"


def points(trace: Path, most: int) -> list[str]:
    """NAME:N of the passages that are to be killed at."""
    passed = Counter(trace.read_text(encoding="utf-8").split())
    found = []
    for name, count in sorted(passed.items()):
        numbers = range(1, count + 1)
        chosen = numbers if count <= most else [*numbers[: most // 2], *numbers[-(most // 2) :]]
        found += [f"{name}:{number}" for number in chosen]
    return found


def first_champion(folder: Path) -> Path:
    """A state with its first champion, made in the folder."""
    world = World(folder / "state")
    world.inbox.put(beginning())
    world.until_idle()
    world.store.close()
    return world.root


# Messages about promotions for nobody, so that they stay where a test can read them.
NOBODY: dict[str, Any] = {
    "name": "nobody",
    "kind": "webhook",
    "url": "http://127.0.0.1:9/",
    "secret": "sixteen characters",
    "timeout": "1s",
    "events": ["champion_promoted", "champion_rolled_back"],
}


def prepared(scenario: Scenario, begun: Path, folder: Path, channels: Sequence[Mapping[str, Any]] = (NOBODY,)) -> Path:
    """The state that the command is run on, with its configuration."""
    shutil.copytree(begun, folder / "state")
    world = World(folder / "state")
    world.inbox.batches.append([])  # what the state has taken in already
    world.clock.catch_up(world.clock.now().replace(month=2))
    scenario.prepare(world)
    now = world.clock.now()
    world.store.close()
    config: dict[str, Any] = {
        "store": {"directory": "state"},
        "clock": {"kind": "simulated", "start": now.isoformat()},
        "encoder": {"name": "external", "external": {"fingerprint": FINGERPRINT, "dimension": DIMENSION}},
        "http": {"enabled": False},
        "promotion": SHADOW if scenario.mode == "shadow" else {"mode": scenario.mode},
        "notify": {"channels": [dict(channel) for channel in channels]},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder
