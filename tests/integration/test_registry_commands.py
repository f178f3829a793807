"""`sidwatch models diff|card|export` on a store with two versions; the exported folder stands on its own."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from daemon.cli import run
from daemon.errors import BadInputError, CorruptArtifact, NotFoundError, TemporaryError
from daemon.heads import read
from daemon.promote.deciding import promote_by_hand
from daemon.service import Service
from daemon.telemetry import Telemetry
from store.state import open_store
from tests.integration.world import FINGERPRINT, KNOWN, NEW, SOURCES, World, candidate
from tests.unit.registry.test_exported_script import run_alone


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World.settled(tmp_path_factory.mktemp("begun") / "state")
    world.inbox.put(candidate(NEW, i) for i in range(60))
    world.until_idle()
    assert world.store.registry.previous() is not None, "the newcomer was to be learned"
    world.store.close()
    return world.root


@pytest.fixture
def folder(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(begun, tmp_path / "state")
    configuration = {"encoder": {"name": "forensic"}, "store": {"directory": str(tmp_path / "state")}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_diff_shows_the_family_that_was_learned_and_nothing_else_of_the_settings(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(capsys, "models", "diff", "previous", "champion")
    changed = {change["key"]: (change["before"], change["after"]) for change in found["groups"]}
    before, after = changed[f"family {NEW} raw"]
    assert before is None and after > 0
    keys = {change["key"] for change in found["values"]}
    assert {"about.parent", "about.dataset.sha256", "tensors_sha256"} <= keys
    assert "about.settings.ridge" not in keys and "about.encoder_fingerprint" not in keys
    assert any(change["key"] == f"family {NEW} raw" for change in found["figures"])
    same = said(capsys, "models", "diff", "champion", found["after"])
    assert (same["values"], same["groups"], same["figures"]) == ([], [], [])


def test_the_card_names_what_was_learned_measured_and_decided(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "models", "card", "champion")
    card = shown["card"]
    assert card.startswith(f"# Version {shown['version']}\n")
    for name in (*KNOWN, NEW, *SOURCES, FINGERPRINT):
        assert name in card
    with open_store(folder / "state", read_only=True) as store:
        champion = store.registry.champion()
        assert champion is not None
        dataset = store.samples.learned_dataset(champion.fingerprint)
    assert f"{dataset.samples}, digest `{dataset.sha256}`" in card
    assert "Promote: " in card and "| promote | " in card
    assert run(["models", "card", "champion"]) == 0
    assert capsys.readouterr().out == card


def test_an_exported_folder_checks_and_scores_itself_without_sidwatch(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = said(capsys, "models", "export", "champion", "out")
    out = folder / "out"
    assert {path.name for path in out.iterdir()} == set(done["files"])
    assert subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, check=True, capture_output=True)
    with open_store(folder / "state", read_only=True) as store:
        champion = store.registry.champion()
        assert champion is not None
        artifact = read(*store.registry.artifact(champion.id))
    record = json.loads((out / "record.json").read_text())
    assert (record["version"], record["verdict"]["decision"]) == (champion.id, "promote")
    vectors = np.random.default_rng(3).normal(0, 4, (30, artifact.head.dimension)).astype(np.float32)
    ran = run_alone(out, vectors, folder)
    assert ran.returncode == 0, ran.stderr
    logits = [json.loads(line)["logit"] for line in ran.stdout.splitlines()]
    np.testing.assert_allclose(logits, artifact.head.scores(vectors), rtol=1e-9, atol=1e-9)
    assert said(capsys, "models", "export", "champion", "again")["files"] == done["files"]
    assert (folder / "again" / "SHA256SUMS").read_bytes() == (out / "SHA256SUMS").read_bytes()
    number = champion.id.partition("-")[0]
    assert said(capsys, "models", "export", number, "by-number")["version"] == champion.id


def test_a_taken_folder_a_damaged_file_and_an_alias_of_nothing_are_one_line_each(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "export", "champion", "."]) == 65
    assert "not empty" in capsys.readouterr().err
    assert run(["models", "show", "challenger"]) == 65
    assert "there is no challenger now" in capsys.readouterr().err
    with open_store(folder / "state", read_only=True) as store:
        champion = store.registry.champion()
        assert champion is not None
    path = folder / "state" / "versions" / f"{champion.tensors_sha256}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    assert run(["models", "export", "champion", "out"]) == 65
    assert "was changed" in capsys.readouterr().err
    assert not (folder / "out").exists()


def damage(folder: Path, make: str) -> str:
    """Make a file of the champion unreadable; returns the version."""
    with open_store(folder / "state", read_only=True) as store:
        champion = store.registry.champion()
        assert champion is not None
        path = store.layout.tensors(champion.tensors_sha256)
    if make == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(b"cut")
    return champion.id


@pytest.mark.parametrize("make", ["folder", "cut"])
def test_versions_are_listed_and_the_store_is_verified_while_the_champion_cannot_be_read(
    folder: Path, capsys: pytest.CaptureFixture[str], make: str
) -> None:
    """Whoever is told that the champion is damaged is sent to the list of versions."""
    champion = damage(folder, make)
    listed = said(capsys, "models", "list")
    assert [one["id"] for one in listed if one["role"] == "champion"] == [champion]
    capsys.readouterr()
    assert run(["verify", "--deep", "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert len(checks) == 10, "what is broken stops no other check"
    assert run(["models", "rollback", "--reason", "it is damaged"]) == 0
    assert said(capsys, "models", "list")[0]["role"] == "champion"


def test_what_was_done_over_http_is_done_also_when_the_page_cannot_be_made_anew(folder: Path) -> None:
    world = World(folder / "state")
    service = Service(world.context, Telemetry("1"), True)
    damage(folder, "cut")
    with pytest.raises(CorruptArtifact):
        service.refresh()
    done = service.by_hand.pause_job("cycle", None, "ada", "it is damaged")
    assert "paused" in done.text and [pause.job for pause in world.store.runs.pauses()] == ["cycle"]
    assert world.store.registry.versions()[0].id in service.by_hand.roll_back("ada", "it is damaged").text
    world.store.close()


def test_a_rollback_where_there_is_no_store_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("store: {directory: mistyped}\n", encoding="utf-8")
    assert run(["models", "rollback", "--reason", "a test"]) == 78
    assert "there is no store at" in capsys.readouterr().err
    assert not Path("mistyped").exists()


@pytest.mark.parametrize("verdict", ["{}", '{"checks":[1],"decision":"hold","reason":""}', "[]", "{"])
@pytest.mark.parametrize("command", ["show", "card"])
def test_a_verdict_that_somebody_wrote_over_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, verdict: str
) -> None:
    with sqlite3.connect(folder / "state" / "sidwatch.db") as connection:
        connection.execute("UPDATE version SET verdict = ? WHERE number = 2", (verdict,))
    connection.close()
    assert run(["models", command, "v0002"]) in (65, 78)
    complaint = capsys.readouterr().err.strip()
    assert "\n" not in complaint and ("sidwatch verify" in complaint or "restore a backup" in complaint)


def test_the_service_serves_the_champion_and_its_files_and_refuses_what_is_damaged(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(begun, tmp_path / "state")
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path / "state")
    service = Service(world.context, Telemetry("test"), simulated=True)
    registry = world.store.registry
    champion = registry.champion()
    assert champion is not None
    document = service.champion_document()
    told = json.loads(document.content)
    assert (told["version"], set(told["families"])) == (champion.id, {*KNOWN, NEW})
    assert service.champion_document() == document
    for file in told["files"]:
        served = service.model_file(champion.id, file["name"])
        assert served is not None and sha256(served.content).hexdigest() == file["sha256"]
    assert service.model_file("v0099-ffffffff", "score.py") is None
    service.refresh()
    for name in ("champion", champion.id.partition("-")[0], champion.id):
        assert service.detail.version(name).version.id == champion.id
        with pytest.raises(BadInputError, match=f"{champion.id} is promoted"):
            service.decide(name, True, "to see which one it is")
    with pytest.raises(NotFoundError):
        service.detail.version("v0099")
    promote_by_hand(world.context, told["parent"], "tester", "to see another one")
    assert service.champion_document().etag != document.etag
    path = tmp_path / "state" / "versions" / f"{champion.tensors_sha256}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(TemporaryError) as raised:
        service.model_file(champion.id, "manifest.json")
    assert str(tmp_path) not in str(raised.value)
