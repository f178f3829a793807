"""`sidwatch families …` and `samples …` as a person meets them: alone with the state, and beside a service."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cli import run
from daemon.model import Candidate, Subject
from store.lock import StateLock
from store.splits import DEFAULT_SHARES, split_of
from store.state import Store, open_store
from tests.integration.test_service import DEADLINE, Service, service  # noqa: F401  (a fixture)
from tests.integration.world import FINGERPRINT, KNOWN, SOURCES, World, beginning

OLD, OTHER, THIRD = KNOWN
FIRST = hashlib.sha256(f"{OLD}:0".encode()).hexdigest()  # of the first picture of the family
NO_TEXT = "x\udcff"  # what Python makes of a byte on the command line that is no UTF-8


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


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON of a command; what corrects gets its reason."""
    shows = arguments[1] in ("list", "show")
    capsys.readouterr()
    assert run([*arguments, *([] if shows else ["--reason", "seen by hand"]), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def opened(folder: Path) -> Store:
    return open_store(folder / "state", read_only=True)


def digest(one: Candidate) -> str:
    assert one.content is not None
    return hashlib.sha256(one.content).hexdigest()


def learned_of(family: str, count: int) -> list[str]:
    own = [c for c in beginning() if c.family == family and split_of(str(c.group), DEFAULT_SHARES) == "train"]
    return [digest(c) for c in own[:count]]


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return {family["name"]: family for family in said(capsys, "families", "list")}


def test_a_relabelling_is_followed_at_once_and_a_challenger_goes_to_the_gate(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = learned_of(OLD, 3)
    done = said(
        capsys, "samples", "relabel", *(sha256[:10] for sha256 in wrong), "--label", "synthetic", "--family", OTHER
    )
    assert (done["state"], done["samples"], done["learned"], done["champion_holds"]) == ("done", 3, 3, 3)
    assert done["subjects"] == [["family", OLD], ["family", OTHER]]
    assert done["update"]["version"] is not None
    shown = said(capsys, "samples", "show", wrong[0][:10])
    assert (shown["sha256"], shown["family"], shown["relabelled"]["reason"]) == (wrong[0], OTHER, "seen by hand")
    assert {one["subject"][1] for one in shown["learned"]} == {OTHER}
    assert shown["deliveries"][0]["family"] == OLD
    again = said(capsys, "samples", "relabel", *wrong, "--label", "synthetic", "--family", OTHER)
    assert (again["state"], again["audit"]) == ("nothing", None)
    back = said(capsys, "samples", "relabel", *wrong, "--undo")
    assert (back["samples"], back["champion_holds"]) == (3, 0)
    assert run(["verify", "--deep"]) == 0


def test_names_are_corrected_and_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    renamed = said(capsys, "families", "rename", OLD, "stylegan")
    assert (renamed["state"], renamed["samples"], renamed["update"]) == ("done", 60, None)
    merged = said(capsys, "families", "merge", OTHER, "stylegan")
    assert merged["update"]["version"] is not None and merged["champion_holds"] == merged["learned"] > 0
    picked = learned_of(OLD, 4)
    (folder / "pictures.txt").write_text("\n".join(["# seen by hand", *picked[1:]]), encoding="utf-8")
    arguments = ["--sample", picked[0][:12], "--samples", "pictures.txt"]
    assert said(capsys, "families", "split", "stylegan", "progan", *arguments)["samples"] == 4
    found = listed(capsys)
    assert {name: found[name]["samples"] for name in found} == {"stylegan": 116, "progan": 4, THIRD: 60}
    assert sorted(found["stylegan"]["aliases"]) == sorted([OLD, OTHER])
    assert said(capsys, "families", "show", OLD)["name"] == "stylegan"
    assert run(["families", "show", OTHER]) == 0
    assert f"also called {OLD}, {OTHER}" in capsys.readouterr().out
    assert run(["verify", "--deep"]) == 0


def test_retired_families_and_anchors_are_shown_as_such(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "families", "retire", OLD)["state"] == "done"
    anchored = said(capsys, "families", "anchor", OTHER)
    assert anchored["champion_holds"] == anchored["learned"] > 0
    found = listed(capsys)
    assert (found[OLD]["state"], found[OLD]["samples"]) == ("retired", 60)
    assert found[OTHER]["anchored_at"] is not None and found[OTHER]["state"] == "detected"
    assert run(["families", "list"]) == 0
    assert "detected, anchor" in capsys.readouterr().out
    assert run(["families", "show", OLD]) == 0
    assert "not measured, tested or gated; 60 samples" in capsys.readouterr().out
    assert said(capsys, "families", "retire", OLD, "--undo")["state"] == "done"
    assert said(capsys, "families", "unanchor", OTHER)["champion_holds"] == 0
    found = listed(capsys)
    assert found[OLD]["state"] == "detected" and found[OTHER]["anchored_at"] is None
    with opened(folder) as store:
        actions = [row.action for row in store.registry.audit() if row.version is None]
        assert actions == ["retire", "anchor", "unretire", "unanchor"]
    assert run(["verify", "--deep"]) == 0


def test_beside_a_service_the_names_change_at_once_and_the_next_holder_follows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StateLock(folder / "state", datetime.now(UTC)):
        done = said(capsys, "families", "merge", OLD, OTHER)
        assert (done["state"], done["update"]) == ("asked", None)
        assert set(listed(capsys)) == {OTHER, THIRD}
        with opened(folder) as store:
            assert "cycle" in {run.job for run in store.runs.latest() if run.state == "waiting"}
            assert Subject("family", OLD) in {row.subject for row in store.samples.learned_rows(FINGERPRINT)}
        assert run(["verify", "--deep"]) == 0
    again = said(capsys, "families", "merge", OLD, OTHER)
    assert (again["state"], again["samples"]) == ("done", 0)
    assert again["update"]["version"] is not None
    with opened(folder) as store:
        assert Subject("family", OLD) not in {row.subject for row in store.samples.learned_rows(FINGERPRINT)}
        assert store.samples.pending_corrections() == []
    assert run(["verify", "--deep"]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["families", "rename", "nobody", "somebody"], 65, "there is no family 'nobody'"),
        (["families", "rename", OLD, "Style GAN"], 65, "lower snake case, such as 'style_gan'"),
        (["families", "rename", OLD, "real"], 65, "reserved"),
        (["families", "rename", OLD, OLD], 65, "is the name it has"),
        (["families", "merge", OLD, OLD], 65, "cannot be merged into itself"),
        (["families", "split", OLD, "part"], 2, "say which part"),
        (["families", "split", OLD, "part", "--source", "a", "--sample", "abcdef"], 2, "say which part"),
        (["families", "split", OLD, "part", "--released-after", "soon"], 65, "YYYY-MM-DD"),
        (["families", "split", OLD, "part", "--delivered-after", "soon"], 2, "--delivered-after"),
        (["families", "split", OLD, "part", "--samples", "no.txt"], 65, "cannot read no.txt"),
        (["families", "split", OLD, "part", "--source", "nowhere"], 65, "nothing to split off"),
        (["families", "retire", SOURCES[0]], 65, "there is no family"),
        (["families", "anchor", "nobody"], 65, "there is no family 'nobody'"),
        (["samples", "relabel", "abc", "--label", "real"], 65, "first 6 or more hexadecimal digits"),
        (["samples", "relabel", "abcdef", "--label", "fake"], 2, "real or synthetic"),
        (["samples", "relabel", "abcdef"], 2, "--undo"),
        (["samples", "relabel", "abcdef", "--label", "real", "--family", OLD], 2, "only a synthetic picture"),
        (["samples", "relabel", "0" * 64, "--label", "real"], 65, "there is no sample"),
        (["samples", "relabel", FIRST, "--label", "real", "--source", "feedback"], 65, "kept for what people report"),
        (["samples", "relabel", FIRST, "--label", "real", "--source", " "], 65, "names no source"),
        (["samples", "relabel", FIRST, "--label", "real", "--source", "x\x1b[2J"], 65, "names no source"),
        (["samples", "relabel", FIRST, "--label", "real", "--source", "x" * 201], 65, "names no source"),
        (["samples", "relabel", FIRST, "--label", "real", "--source", NO_TEXT], 65, "names no source"),
        (["families", "rename", NO_TEXT, "sdxl"], 65, "no UTF-8 text"),
        (["families", "merge", OLD, NO_TEXT], 65, "no UTF-8 text"),
        (["families", "split", OLD, "sdxl", "--source", NO_TEXT], 65, "no UTF-8 text"),
        (["families", "retire", OLD, "--reason", NO_TEXT], 65, "no UTF-8 text"),
        (["families", "retire", OLD, "--reason", "x" * 2001], 2, "at most 2000"),
    ],
)
def test_what_it_does_not_do(
    arguments: list[str], status: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(folder) as store:
        before = store.registry.audit()
    assert run(arguments if "--reason" in arguments else [*arguments, "--reason", "x"]) == status
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    with opened(folder) as store:
        assert store.registry.audit() == before


def test_what_is_told_of_a_picture_does_not_steer_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["samples", "relabel", FIRST, "--label", "real", "--reason", "a \x1b[2J photograph"]) == 0
    capsys.readouterr()
    assert run(["samples", "show", FIRST]) == 0
    shown = capsys.readouterr().out
    assert "a \\x1b[2J photograph" in shown
    assert all(sign.isprintable() or sign == "\n" for sign in shown)


def test_a_running_service_follows_in_its_next_cycle(service: Service) -> None:  # noqa: F811
    service.wait_for_samples(18)
    with open_store(service.folder / "state", read_only=True) as store:
        family = next(row.subject.name for row in store.samples.subjects() if row.subject.kind == "family")
    asked = service.command("families", "rename", family, "another_name", "--reason", "x", "--json")
    assert json.loads(asked.stdout)["state"] == "asked", asked.stderr
    until, pending = time.monotonic() + DEADLINE, [0]
    while pending and time.monotonic() < until:
        time.sleep(0.5)
        with open_store(service.folder / "state", read_only=True) as store:
            pending = store.samples.pending_corrections()
    assert pending == []
    shown: list[str] = []
    while "another_name" not in shown and time.monotonic() < until:
        shown = [found["name"] for found in json.loads(service.get("/v1/status")[1])["families"]]
        time.sleep(0.5)
    assert "another_name" in shown and family not in shown
    assert service.command("verify", "--deep").returncode == 0
