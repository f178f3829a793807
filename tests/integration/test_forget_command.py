"""`sidwatch forget` as a person meets it: alone with the state, and beside a service that holds it."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cli import run
from daemon.model import Subject
from store.lock import StateLock
from store.state import Store, open_store
from tests.integration.test_service import DEADLINE, Service, service  # noqa: F401  (a fixture)
from tests.integration.world import KNOWN, SOURCES, World


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World.settled(tmp_path_factory.mktemp("begun") / "state")
    world.store.close()
    return world.root


@pytest.fixture
def folder(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(begun, tmp_path / "state")
    configuration = {
        "encoder": {"name": "forensic"},
        "store": {"directory": str(tmp_path / "state")},
        "clock": {"kind": "simulated", "start": "2030-03-01T00:00:00Z"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    capsys.readouterr()
    assert run(["forget", *arguments, "--reason", "licence withdrawn", "--yes", "--json"]) == status
    return json.loads(capsys.readouterr().out)


def opened(folder: Path) -> Store:
    return open_store(folder / "state", read_only=True)


def test_it_forgets_and_puts_a_challenger_without_it_to_the_gate(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = asked(capsys, "--source", SOURCES[0])
    assert (done["deliveries"], done["gone"], done["kept"], done["state"]) == (60, 60, 0, "done")
    assert done["learned"] > 0 == done["champion_holds"]
    assert done["update"]["decision"] == "promote"  # no better without it, and no worse: that is enough
    assert done["champion"] == done["update"]["version"]
    with opened(folder) as store:
        challenger = store.registry.version(done["champion"])
        assert challenger.verdict is not None and str(challenger.verdict["reason"]).startswith("after forgetting: ")
        assert challenger.statistics_revision == store.samples.statistics_revision(challenger.fingerprint)
        assert Subject("source", SOURCES[0]) not in {row.subject for row in store.samples.subjects()}
        assert {row.subject.name for row in store.samples.latest_evaluations(done["champion"])} == {
            *SOURCES[1:],
            *KNOWN,
        }
    assert run(["verify", "--deep"]) == 0
    again = asked(capsys, "--source", SOURCES[0])
    assert (again["state"], again["champion_holds"], again["update"]) == ("nothing", 0, None)


def test_again_there_is_nothing_and_it_still_says_what_the_champion_holds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    configuration["gate"] = {"min_groups": 1000}  # nothing can be judged
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    first = asked(capsys, "--family", KNOWN[0])
    assert first["update"]["decision"] == "hold"
    assert first["champion_holds"] == first["learned"] > 0
    again = asked(capsys, "--family", KNOWN[0])
    assert (again["state"], again["deliveries"], again["update"]) == ("nothing", 0, None)
    assert again["champion_holds"] == first["champion_holds"]
    assert run(["forget", "--family", KNOWN[0], "--reason", "again", "--yes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"nothing of family {KNOWN[0]} is left; it was forgotten before"
    assert "still holds" in lines[1]
    assert run(["models", "promote", first["update"]["version"], "--reason", "without it"]) == 0
    assert asked(capsys, "--family", KNOWN[0])["champion_holds"] == 0


@pytest.mark.parametrize("back", [["rollback"], ["promote", "v0001"]], ids=["rollback", "promote"])
def test_what_holds_forgotten_samples_comes_back_only_when_a_person_says_so(
    back: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = asked(capsys, "--source", SOURCES[0])
    with opened(folder) as store:
        first = store.registry.versions()[0].id
    command = ["models", *(first if word == "v0001" else word for word in back), "--reason", "it was better"]
    assert run(command) == 65
    told = capsys.readouterr().err
    assert f"{first} was solved from {done['learned']} samples that were forgotten since" in told
    assert told.count("\n") == 1
    with opened(folder) as store:
        champion = store.registry.champion()
        assert champion is not None and champion.id == done["champion"]
    assert run([*command, "--with-forgotten"]) == 0
    with opened(folder) as store:
        last = store.registry.audit()[-1]
        assert (last.version, last.payload["holds_forgotten"]) == (first, done["learned"])
    assert run(["verify", "--deep"]) == 0


def test_beside_a_service_it_is_out_of_every_figure_at_once_and_the_next_holder_finishes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StateLock(folder / "state", datetime.now(UTC)):
        done = asked(capsys, "--source", SOURCES[0])
        assert (done["state"], done["update"]) == ("taken_out", None)
        with opened(folder) as store:
            assert Subject("source", SOURCES[0]) not in {row.subject for row in store.samples.subjects()}
            assert "cycle" in {run.job for run in store.runs.latest() if run.state == "waiting"}
        assert run(["verify", "--deep"]) == 0
    again = asked(capsys, "--source", SOURCES[0])
    assert (again["state"], again["gone"]) == ("done", 0)
    assert again["update"]["version"] is not None
    with opened(folder) as store:
        assert [record.state for record in store.samples.forgets()] == ["done"]
    assert run(["verify", "--deep"]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--source", "kodka", "--yes"], 65, "nothing that was delivered belongs to source kodka"),
        (["--source", "a", "--family", "b", "--yes"], 2, "exactly one"),
        (["--yes"], 2, "exactly one"),
        (["--sample", "abc", "--yes"], 2, "64 hexadecimal digits"),
        (["--sample", "AB" * 32, "--yes"], 65, "nothing that was delivered belongs to sample abababababab;"),
        (["--source", SOURCES[0]], 2, "60 deliveries, 60 samples for good"),  # no terminal, no --yes
        (["--source", SOURCES[0], "--yes", "--reason", " "], 2, "say why"),
    ],
)
def test_what_it_does_not_do(
    arguments: list[str], status: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["forget", "--reason", "x", *arguments]) == status
    assert message in capsys.readouterr().err
    with opened(folder) as store:
        assert store.samples.forgets() == []


def test_when_no_family_is_left_the_forgetting_is_done_and_no_challenger_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for family in KNOWN[:-1]:
        asked(capsys, "--family", family)
    done = asked(capsys, "--family", KNOWN[-1])
    assert done["state"] == "done"
    assert "no family may be learned from" in done["update"]["outcome"]
    assert run(["verify", "--deep"]) == 0


def test_a_running_service_finishes_in_its_next_cycle(service: Service) -> None:  # noqa: F811
    service.wait_for_samples(18)
    with open_store(service.folder / "state", read_only=True) as store:
        source = next(row for row in store.samples.subjects() if row.subject.kind == "source")
    asked = service.command("forget", "--source", source.subject.name, "--reason", "x", "--yes", "--json")
    assert json.loads(asked.stdout)["state"] == "taken_out", asked.stderr
    service.wait_for_samples(18 - source.samples)
    with open_store(service.folder / "state", read_only=True) as store:
        until = time.monotonic() + DEADLINE
        while store.samples.forgets()[0].state != "done" and time.monotonic() < until:
            time.sleep(0.5)
        assert [record.state for record in store.samples.forgets()] == ["done"]
    assert service.command("verify", "--deep").returncode == 0
