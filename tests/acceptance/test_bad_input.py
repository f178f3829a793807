"""Bad input: a clear line with the right exit status or a reason in `status`; nothing acknowledged is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.command import Done, sidwatch
from tests.acceptance.pictures import bomb, photograph

pytestmark = pytest.mark.accept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An inbox with two good pictures."""
    photograph(tmp_path / "inbox" / "real" / "good.jpg", seed=1)
    photograph(tmp_path / "inbox" / "some_family" / "good.png", seed=2)
    return tmp_path


def adapter(name: str, kind: str, path: str, **options: object) -> dict[str, Any]:
    return {"name": name, "kind": kind, "trust": "trusted", "options": {"path": path, **options}}


INBOX = adapter("inbox", "folder", "inbox", settle=0)  # these files are written, however young


def run(folder: Path, *adapters: dict[str, Any], status: int = 0) -> Done:
    configuration = {"encoder": {"name": "forensic"}, "adapters": [*adapters]}
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return sidwatch("run", "--until-idle", folder=folder, status=status)


def shown(folder: Path) -> dict[str, Any]:
    status: dict[str, Any] = sidwatch("status", "--json", folder=folder).json
    return status


def rejected(status: dict[str, Any], name: str) -> dict[str, int]:
    reasons: dict[str, int] = next(row["rejected"] for row in status["adapters"] if row["name"] == name)
    return reasons


def manifest(folder: Path, text: str) -> None:
    (folder / "list.csv").write_text(text, encoding="utf-8")


def test_corrupt_pictures_bombs_and_strangers_are_rejected_with_a_reason_each(folder: Path) -> None:
    inbox = folder / "inbox" / "real"
    whole = photograph(inbox / "cut.jpg", seed=3)
    (inbox / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    bomb(inbox / "bomb.png")
    (inbox / "empty.png").write_bytes(b"")
    (inbox / "text.jpg").write_text("no picture", encoding="utf-8")
    photograph(inbox / "tiny.png", seed=4, side=16)
    run(folder, INBOX)
    status = shown(folder)
    found = dict(rejected(status, "inbox"))
    assert found.pop("corrupt") >= 1
    assert found.pop("too_many_pixels") == found.pop("empty") == found.pop("too_small") == 1
    assert set(found) <= {"format_not_allowed"}
    assert sum(rejected(status, "inbox").values()) == 5
    assert status["samples"] == {"active": 2, "quarantined": 0, "total": 2}


def test_the_same_bytes_again_are_no_second_sample_and_change_nothing(folder: Path) -> None:
    run(folder, INBOX)
    shutil.copyfile(folder / "inbox/real/good.jpg", folder / "inbox/real/copy.jpg")
    run(folder, INBOX)
    run(folder, INBOX)
    status = shown(folder)
    assert status["samples"] == {"active": 2, "quarantined": 0, "total": 2}
    assert rejected(status, "inbox") == {}


def test_the_same_bytes_under_another_label_are_quarantined(folder: Path) -> None:
    run(folder, INBOX)
    shutil.copyfile(folder / "inbox/real/good.jpg", folder / "inbox/some_family/stolen.jpg")
    run(folder, INBOX)
    status = shown(folder)
    assert status["samples"] == {"active": 1, "quarantined": 1, "total": 2}
    assert status["quarantine"] == {"label_conflict": 1}


def test_an_unknown_label_costs_its_row_and_no_other(folder: Path) -> None:
    manifest(folder, "uri,label,family\ninbox/real/good.jpg,fake,\ninbox/some_family/good.png,synthetic,some_family\n")
    run(folder, adapter("list", "manifest", "list.csv"))
    status = shown(folder)
    assert rejected(status, "list") == {"bad_record": 1}
    assert [row["name"] for row in status["families"]] == ["some_family"]
    assert status["samples"]["active"] == 1


def test_a_row_whose_picture_is_not_there_costs_its_row_and_no_other(folder: Path) -> None:
    manifest(folder, "uri,label\ninbox/real/good.jpg,real\ninbox/real/gone.jpg,real\n../../etc/passwd,real\n")
    run(folder, adapter("list", "manifest", "list.csv"))
    status = shown(folder)
    assert sum(rejected(status, "list").values()) == 2
    assert set(rejected(status, "list")) <= {"unreadable", "bad_record"}
    assert status["samples"]["active"] == 1


@pytest.mark.parametrize(
    ("bad", "status", "named"),
    [
        (adapter("bad", "manifest", "list.csv"), 65, "label"),
        (adapter("bad", "manifest", "nowhere.csv"), 65, "nowhere.csv"),
        (adapter("bad", "folder", "list.csv"), 65, "list.csv"),
        (adapter("bad", "folder", "nowhere"), 65, "nowhere"),
        (adapter("bad", "carrier_pigeon", "inbox"), 78, "carrier_pigeon"),
        (adapter("bad", "folder", "inbox", colour="red"), 78, "colour"),
    ],
    ids=["missing column", "missing manifest", "folder is a file", "missing folder", "unknown kind", "unknown option"],
)
def test_a_bad_source_is_one_line_and_what_came_before_it_stays(
    bad: dict[str, Any], status: int, named: str, folder: Path
) -> None:
    manifest(folder, "uri,family\ninbox/some_family/good.png,some_family\n")
    complaint = run(folder, INBOX, bad, status=status).complaint
    assert named in complaint
    assert shown(folder)["samples"] == {"active": 2, "quarantined": 0, "total": 2}
    assert sidwatch("verify", "--deep", "--json", folder=folder).json["ok"] is True


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (["ingest", "nowhere"], 65, "nowhere"),
        (["ingest", "list.csv"], 65, "label"),
        (["ingest", "inbox", "--trust", "blind"], 2, "--trust"),
        (["score", "list.csv"], 78, "no store"),
        (["status", "--config", "other.yaml"], 78, "other.yaml"),
        (["adapters", "check", "nobody"], 65, "nobody"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_that_cannot_work_says_so_in_one_line(
    arguments: list[str], status: int, named: str, folder: Path
) -> None:
    manifest(folder, "uri,family\ninbox/some_family/good.png,some_family\n")
    configuration = {"encoder": {"name": "forensic"}, "adapters": [INBOX]}
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    assert named in sidwatch(*arguments, folder=folder, status=status).complaint
