"""SIGKILL at the failpoints of corrections and forgetting: repeated, they end as undisturbed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.champion import load_version
from store import audit
from store.state import open_store
from tests.acceptance.conftest import Report
from tests.acceptance.failpoints import (
    BY_HAND,
    RUN,
    Scenario,
    execute,
    finished,
    first_champion,
    killed,
    points,
    prepared,
    whole,
)
from tests.integration.world import FINGERPRINT, KNOWN, World

pytestmark = [pytest.mark.accept, pytest.mark.long, pytest.mark.timeout(3600)]

OLD, OTHER, THIRD = KNOWN
SOME = tuple(hashlib.sha256(f"{OLD}:{i}".encode()).hexdigest() for i in range(12))


def as_it_is(world: World) -> None:
    """Nothing but what the first champion learned."""


SCENARIOS = [
    Scenario("rename", as_it_is, ("families", "rename", OLD, "renamed", *BY_HAND), most_per_point=6),
    Scenario("merge", as_it_is, ("families", "merge", OLD, OTHER, *BY_HAND), most_per_point=6),
    Scenario("split", as_it_is, ("families", "split", OLD, "part", *(f"--sample={s}" for s in SOME), *BY_HAND)),
    Scenario("relabel", as_it_is, ("samples", "relabel", *SOME, "--label", "synthetic", "--family", OTHER, *BY_HAND)),
    Scenario("retire", as_it_is, ("families", "retire", OLD, *BY_HAND)),
    Scenario("anchor", as_it_is, ("families", "anchor", OLD, *BY_HAND)),
    Scenario("forget", as_it_is, ("forget", "--family", OLD, "--yes", *BY_HAND), most_per_point=6),
]


@dataclass(frozen=True)
class End:
    """What a state has come to, apart from times and from how often it was tried."""

    champion: str
    challengers: int  # versions beside the first champion
    known: tuple[str, ...]  # what the newest version knows, by its present name
    families: tuple[Mapping[str, Any], ...]
    learned: Mapping[int, tuple[str, str]]
    actions: tuple[str, ...]  # of the audit
    pending: int
    forgotten: tuple[str, ...]
    tests: Mapping[str, tuple[int, float]]  # votes and evidence


def end_of(folder: Path) -> End:
    """Read it; the audit chain holds."""
    with open_store(folder / "state", read_only=True) as store:
        samples, champion = store.samples, store.registry.champion()
        assert champion is not None
        rows = store.registry.audit()
        assert audit.verify(rows) is None
        versions = store.registry.versions()
        newest = load_version(store.registry, versions[-1])
        return End(
            champion=champion.id,
            challengers=len(versions) - 1,
            known=tuple(sorted(subject.name for subject in newest.known)),
            families=tuple(asdict(family) for family in samples.families()),
            learned={row.sample_id: tuple(row.subject) for row in samples.learned_rows(FINGERPRINT)},
            actions=tuple(row.action for row in rows),
            pending=len(samples.pending_corrections()),
            forgotten=tuple(record.state for record in samples.forgets()),
            tests={s.subject.name: (s.votes, s.log10_evidence) for s in samples.test_states(champion.id)},
        )


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with its first champion."""
    return first_champion(tmp_path_factory.mktemp("begun"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("then", ["the command", "the service"])
def test_killed_anywhere_it_ends_as_undisturbed(
    scenario: Scenario, then: str, begun: Path, tmp_path: Path, report: Report
) -> None:
    """Whoever goes on: the person who says it again, or the service alone, once the transaction was done."""
    origin, trace = prepared(scenario, begun, tmp_path / "origin"), tmp_path / "trace"
    before = end_of(origin)
    quiet = tmp_path / "quiet"
    shutil.copytree(origin, quiet)
    assert execute(scenario.command, quiet, SIDWATCH_FAILPOINT_TRACE=str(trace)) == 0
    finished(RUN, quiet, "undisturbed")
    expected = end_of(quiet)
    assert expected != before, "the command did nothing"
    chosen = points(trace, scenario.most_per_point)
    for point in chosen:
        folder = tmp_path / "killed"
        shutil.copytree(origin, folder)
        killed(scenario.command, folder, point)
        if then == "the command" or end_of(folder) == before:
            finished(scenario.command, folder, point)
        finished(RUN, folder, point)
        assert end_of(folder) == expected, point
        whole(folder)
        shutil.rmtree(folder)
    report(f"kill: {scenario.name}: {len(chosen)} SIGKILLs, {then} goes on, ends as undisturbed")
