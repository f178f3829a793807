"""SIGKILL at every failpoint of the promotion path: one champion, a whole audit, and the same end as undisturbed.

Each scenario is a command on a copy of a prepared state. Undisturbed, it tells which failpoints it passes and how
often; then it is killed at each of these passages, and run again. The processes are forked from one that has imported
the program, which saves most of the time; each runs the command's own `main` in a process group of its own.
"""

from __future__ import annotations

import ast
import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.app import verify_store
from daemon.encoders.embedding import embed
from daemon.intake.taking_in import intake
from daemon.settings import Settings, load
from store import audit
from store.state import open_store
from tests.acceptance.command import sidwatch
from tests.acceptance.conftest import Report
from tests.integration.test_returning import damage, successor
from tests.integration.world import (
    ADAPTER,
    DIMENSION,
    FINGERPRINT,
    KNOWN,
    NEW,
    SOURCES,
    World,
    beginning,
    candidate,
)

pytestmark = [pytest.mark.accept, pytest.mark.long, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[2]
FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["daemon.cli", "daemon.operations", "daemon.app", "daemon.wiring"])


@dataclass(frozen=True)
class Scenario:
    """A command on a prepared state."""

    name: str
    prepare: Callable[[World], None]
    command: tuple[str, ...]
    mode: str = "auto"
    most_per_point: int = 2  # of more passages of one failpoint, the first half and the last half of these are killed


def newcomer(world: World) -> None:
    """The newcomer was delivered; nothing has judged it yet."""
    world.inbox.put(candidate(NEW, i) for i in range(60))
    intake(world.context, ADAPTER)
    embed(world.context)


def waiting(world: World) -> None:
    """A challenger that has learned the newcomer waits for a person."""
    promotion = world.settings.promotion.model_copy(update={"mode": "manual"})
    world.settings = world.settings.model_copy(update={"promotion": promotion})
    world.store.close()
    world.open()
    world.inbox.put(candidate(NEW, i) for i in range(60))
    world.until_idle()


def in_shadow(world: World) -> None:
    """A challenger that has learned the newcomer has seen enough in the shadow; nothing has judged that yet."""
    promotion = world.settings.promotion.model_copy(update=SHADOW)
    world.settings = world.settings.model_copy(update={"promotion": promotion})
    world.store.close()
    world.open()
    world.inbox.put(candidate(NEW, i) for i in range(60))
    world.until_idle()
    assert [version.state for version in world.store.registry.versions()].count("shadow") == 1
    world.inbox.put(candidate(name, 1000 + i) for i in range(7) for name in (*KNOWN, *SOURCES, NEW))
    intake(world.context, ADAPTER)
    embed(world.context)


def succeeded(world: World) -> None:
    """A second version is in force."""
    successor(world, raised=1e-9)


def damaged(world: World) -> None:
    """The second version's manifest is not as recorded."""
    damage(world, successor(world, raised=1e-9))


def worse(world: World) -> None:
    """The second version is about to be proved worse than the first."""
    successor(world, raised=1e6)
    world.inbox.put(candidate(name, 1000 + i) for i in range(30) for name in ("old_gan", "other_gan", "camera_a"))
    intake(world.context, ADAPTER)
    embed(world.context)


SHADOW = {"mode": "shadow", "shadow_samples": 60}
RUN = ("run", "--until-idle")
BY_HAND = ("--reason", "the test says so")
SCENARIOS = [
    Scenario("alarm to promotion", newcomer, RUN),
    Scenario("alarm to a verdict that waits", newcomer, RUN, mode="manual"),
    Scenario("alarm to the shadow", newcomer, RUN, mode="shadow"),
    Scenario("out of the shadow", in_shadow, RUN, mode="shadow"),
    Scenario("approve", waiting, ("models", "approve", "challenger", *BY_HAND), "manual"),
    Scenario("reject", waiting, ("models", "reject", "challenger", *BY_HAND), "manual"),
    Scenario("promote by hand", waiting, ("models", "promote", "challenger", *BY_HAND), "manual"),
    Scenario("rollback", succeeded, ("models", "rollback", *BY_HAND)),
    Scenario("return from damage", damaged, RUN),
    Scenario("return from worse", worse, RUN),
]


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


def execute(scenario: Scenario, folder: Path, **env: str) -> int:
    """Run the command to its end; returns its exit status, negative: the signal that ended it."""
    arguments = [*scenario.command, "--config", "config.yaml"]
    process = FORKSERVER.Process(target=_main, args=(arguments, str(folder), env))
    process.start()
    process.join(300)
    assert process.exitcode is not None, "the command hangs"
    return process.exitcode


@dataclass(frozen=True)
class End:
    """What a state has come to, apart from times and from how often it was tried."""

    champion: str
    previous: str | None
    decisions: tuple[tuple[str, str, str | None, str | None], ...]  # actor, action, version, previous
    states: Mapping[str, str]  # of the versions
    told: tuple[str | None, ...]  # the version of each message in the outbox
    episodes: tuple[tuple[str, str, str | None], ...]
    events: Mapping[str, int]


def end_of(root: Path) -> End:
    """Read it; exactly one champion, and an audit chain that holds."""
    with open_store(root, read_only=True) as store:
        champion, previous = store.registry.champion(), store.registry.previous()
        assert champion is not None
        rows = store.registry.audit()
        assert audit.verify(rows) is None
        changes = [row for row in rows if row.action in ("promote", "rollback")]
        assert changes[-1].version == champion.id
        with store.database.read() as connection:
            aliases = connection.exec_driver_sql("SELECT name FROM alias ORDER BY name").scalars().all()
            messages = connection.exec_driver_sql("SELECT message FROM outbox ORDER BY id").scalars().all()
        assert aliases in (["champion"], ["champion", "previous"])
        told = [json.loads(message) for message in messages]
        assert len({message["id"] for message in told}) == len(told)
        return End(
            champion.id,
            previous.id if previous else None,
            tuple((row.actor, row.action, row.version, row.previous) for row in rows),
            {version.id: version.state for version in store.registry.versions()},
            tuple(message["facts"]["version"] for message in told),
            tuple((episode.family, episode.state, episode.version) for episode in store.samples.episodes()),
            Counter(event.kind for event in store.samples.events(10_000)),
        )


def whole(settings: Settings) -> None:
    """`sidwatch verify --deep` has nothing to say."""
    assert [check for check in verify_store(settings, deep=True) if not check.ok] == []


def points(trace: Path, most: int) -> list[str]:
    """NAME:N of the passages that are to be killed at."""
    passed = Counter(trace.read_text(encoding="utf-8").split())
    found = []
    for name, count in sorted(passed.items()):
        numbers = range(1, count + 1)
        chosen = numbers if count <= most else [*numbers[: most // 2], *numbers[-(most // 2) :]]
        found += [f"{name}:{number}" for number in chosen]
    return found


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with its first champion."""
    world = World(tmp_path_factory.mktemp("begun") / "state")
    world.inbox.put(beginning())
    world.until_idle()
    world.store.close()
    return world.root


def prepared(scenario: Scenario, begun: Path, folder: Path) -> Path:
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
        # So that messages about promotions stay where the test can read them.
        "notify": {
            "channels": [
                {
                    "name": "nobody",
                    "kind": "webhook",
                    "url": "http://127.0.0.1:9/",
                    "secret": "sixteen characters",
                    "timeout": "1s",
                    "events": ["champion_promoted", "champion_rolled_back"],
                }
            ]
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


PASSED: dict[str, set[str]] = {}  # scenario -> names of its failpoints


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "_"))
def test_killed_at_every_failpoint_it_ends_as_undisturbed(
    scenario: Scenario, begun: Path, tmp_path: Path, report: Report
) -> None:
    origin = prepared(scenario, begun, tmp_path / "origin")
    shutil.copytree(origin, tmp_path / "undisturbed")
    trace = tmp_path / "trace"
    assert execute(scenario, tmp_path / "undisturbed", SIDWATCH_FAILPOINT_TRACE=str(trace)) == 0
    expected = end_of(tmp_path / "undisturbed" / "state")
    before = end_of(origin / "state")
    assert expected != before, "the command did nothing"
    PASSED[scenario.name] = set(trace.read_text(encoding="utf-8").split())
    chosen = points(trace, scenario.most_per_point)
    for point in chosen:
        folder = tmp_path / "killed"
        shutil.copytree(origin, folder)
        status = execute(scenario, folder, SIDWATCH_FAILPOINT=point)
        assert status == -signal.SIGKILL, f"{point}: exit {status}\n{(folder / 'stderr').read_text()[-2000:]}"
        left = end_of(folder / "state")  # before anybody mends anything: one champion, the audit holds
        if scenario.command == RUN or left != expected:  # what a person did is done or not, and never half
            assert scenario.command == RUN or left == before, point
            assert execute(scenario, folder) == 0, f"{point}: {(folder / 'stderr').read_text()[-2000:]}"
        assert end_of(folder / "state") == expected, point
        if scenario.command == RUN:  # a command beside the service leaves its sweeping to the service
            whole(load(folder / "config.yaml"))
        shutil.rmtree(folder)
    last = tmp_path / "undisturbed"
    assert sidwatch("verify", "--deep", "--json", "--config", "config.yaml", folder=last).json["ok"] is True
    report(
        f"kill: {scenario.name}: {len(chosen)} SIGKILLs at {len(PASSED[scenario.name])} failpoints, ends as undisturbed"
    )


def test_the_scenarios_pass_every_failpoint_there_is() -> None:
    if set(PASSED) != {scenario.name for scenario in SCENARIOS}:
        pytest.skip("needs all scenarios in the same run")
    assert set().union(*PASSED.values()) == in_code()
