"""SIGKILL at every failpoint of the promotion path: one champion, a whole audit, and the same end as undisturbed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.encoders.embedding import embed
from daemon.intake.taking_in import intake
from store import audit
from store.state import open_store
from tests.acceptance.command import sidwatch
from tests.acceptance.conftest import Report
from tests.acceptance.failpoints import (
    BY_HAND,
    RUN,
    SHADOW,
    Scenario,
    execute,
    finished,
    first_champion,
    in_code,
    killed,
    points,
    prepared,
    whole,
)
from tests.integration.test_returning import damage, successor
from tests.integration.world import (
    ADAPTER,
    KNOWN,
    NEW,
    SOURCES,
    World,
    candidate,
)

pytestmark = [pytest.mark.accept, pytest.mark.timeout(3600)]


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


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with its first champion."""
    return first_champion(tmp_path_factory.mktemp("begun"))


PASSED: dict[str, set[str]] = {}  # scenario -> names of its failpoints


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=scenario.name.replace(" ", "_"), marks=[] if number == 0 else [pytest.mark.long])
        for number, scenario in enumerate(SCENARIOS)  # the first, from the alarm to the promotion, with every change
    ],
)
def test_killed_at_every_failpoint_it_ends_as_undisturbed(
    scenario: Scenario, begun: Path, tmp_path: Path, report: Report
) -> None:
    origin = prepared(scenario, begun, tmp_path / "origin")
    shutil.copytree(origin, tmp_path / "undisturbed")
    trace = tmp_path / "trace"
    assert execute(scenario.command, tmp_path / "undisturbed", SIDWATCH_FAILPOINT_TRACE=str(trace)) == 0
    expected = end_of(tmp_path / "undisturbed" / "state")
    before = end_of(origin / "state")
    assert expected != before, "the command did nothing"
    PASSED[scenario.name] = set(trace.read_text(encoding="utf-8").split())
    chosen = points(trace, scenario.most_per_point)
    for point in chosen:
        folder = tmp_path / "killed"
        shutil.copytree(origin, folder)
        killed(scenario.command, folder, point)
        left = end_of(folder / "state")  # before anybody mends anything: one champion, the audit holds
        if scenario.command == RUN or left != expected:  # what a person did is done or not, and never half
            assert scenario.command == RUN or left == before, point
            finished(scenario.command, folder, point)
        assert end_of(folder / "state") == expected, point
        if scenario.command == RUN:  # a command beside the service leaves its sweeping to the service
            whole(folder)
        shutil.rmtree(folder)
    last = tmp_path / "undisturbed"
    assert sidwatch("verify", "--deep", "--json", "--config", "config.yaml", folder=last).json["ok"] is True
    report(
        f"kill: {scenario.name}: {len(chosen)} SIGKILLs at {len(PASSED[scenario.name])} failpoints, ends as undisturbed"
    )


@pytest.mark.long
def test_the_scenarios_pass_every_failpoint_there_is() -> None:
    if set(PASSED) != {scenario.name for scenario in SCENARIOS}:
        pytest.skip("needs all scenarios in the same run")
    # Here nobody takes a message; test_kill_notifications kills where somebody does.
    assert set().union(*PASSED.values()) == in_code() - {"outbox.taken"}
