"""`sidwatch ingest` says which pictures it refused and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from daemon.cli import run
from tests.integration.test_feedback import jpeg


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configuration = {"encoder": {"name": "forensic"}, "store": {"directory": str(tmp_path / "state")}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(2):
        (pictures / f"{number}.jpg").write_bytes(jpeg(number))
    lists = tmp_path / "lists"
    lists.mkdir()
    rows = [f"{pictures}/{number}.jpg,real" for number in range(2)]
    (lists / "list.csv").write_text("\n".join(["uri,label", *rows]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_paths_outside_of_the_manifests_folder_are_named_and_a_root_lets_them_in(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ingest", "lists/list.csv"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 offered, 0 stored, rejected: ") and "bad_record" in out.splitlines()[0]
    for number in range(2):
        (line,) = [line for line in out.splitlines() if f"{number}.jpg" in line]
        assert line.startswith("  bad_record: ")
        assert line.endswith(f"lies outside of the root '{folder}/lists'; name another `root`")
    assert run(["ingest", "lists/list.csv", "--root", "pictures", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["offered"], done["stored"], done["rejected"], done["examples"]) == (2, 2, {}, [])


def test_a_root_that_is_no_folder_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, root in (("lists/list.csv", "nowhere"), ("pictures", "lists")):
        assert run(["ingest", path, "--root", root]) == 65
        assert (
            capsys.readouterr().err == f"sidwatch: --root {root}: it is the folder that a manifest's paths lie below\n"
        )
