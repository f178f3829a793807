"""`sidwatch quarantine …`: what is set apart, and a person's word on it, in the audit."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cli import run
from daemon.model import Admission, Candidate, Inspected
from store.state import open_store

AT = datetime(2030, 1, 1, tzinfo=UTC)
DISPUTED, SIMILAR, FINE = (hashlib.sha256(word).hexdigest() for word in (b"disputed", b"similar", b"fine"))


def admission(word: bytes, adapter: str, **claims: str) -> Admission:
    candidate = Candidate(uri=f"{adapter}/{word.decode()}.png", content=word, **claims)  # type: ignore[arg-type]
    return Admission(candidate, hashlib.sha256(word).hexdigest(), len(word), Inspected(64, 64, "PNG", "00ff" * 4))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configuration = {
        "encoder": {"name": "forensic"},
        "store": {"directory": str(tmp_path / "state")},
        "clock": {"kind": "simulated", "start": "2030-03-01T00:00:00Z"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    with open_store(tmp_path / "state", near_duplicate_bits=None) as store:
        offered = [
            admission(b"disputed", "one", label="real"),
            admission(b"similar", "one", label="real"),
            admission(b"fine", "one", label="real"),
        ]
        store.samples.admit("one", "trusted", offered, "1", AT)
        other = admission(b"disputed", "two", label="synthetic", family="sdxl")
        store.samples.admit("two", "trusted", [other], "1", AT)
        similar = next(iter(store.samples.pictures_of([1, 2, 3]).items() & {(i, SIMILAR) for i in (1, 2, 3)}))[0]
        store.samples.quarantine(similar, "near_duplicate", "3 of 64 bits from another", AT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run(["quarantine", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    status = run(["quarantine", *arguments])
    return status, capsys.readouterr().err


def audited(folder: Path) -> list[tuple[str, str]]:
    with open_store(folder / "state", read_only=True) as store:
        return [(row.action, row.reason) for row in store.registry.audit()]


def state_of(folder: Path, sha256: str) -> str:
    with open_store(folder / "state", read_only=True) as store:
        return store.samples.sample_facts(sha256).state


def test_what_is_set_apart_is_listed_with_who_said_what(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "list")
    assert (found["total"], {one["sha256"] for one in found["samples"]}) == (2, {DISPUTED, SIMILAR})
    (disputed,) = said(capsys, "list", "--why", "label_conflict")["samples"]
    assert disputed["sha256"] == DISPUTED
    assert [(claim["adapter"], claim["label"]) for claim in disputed["claims"]] == [
        ("one", "real"),
        ("two", "synthetic"),
    ]
    first = said(capsys, "list", "--limit", "1")
    second = said(capsys, "list", "--limit", "1", "--offset", "1")
    assert first["samples"] + second["samples"] == found["samples"] and first["total"] == 2
    assert run(["quarantine", "list", "--limit", "1"]) == 0
    table = capsys.readouterr().out
    assert "1 to 1 of 2" in table and first["samples"][0]["reason"] in table
    status, message = complaint(capsys, "list", "--why", "boredom")
    assert status == 2 and "a reason is one of" in message


def test_one_is_shown_with_the_ways_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "show", DISPUTED[:8])
    assert (found["state"], found["reason"]) == ("quarantined", "label_conflict")
    assert [way.split()[2] for way in found["ways_out"]] == ["confirm", "discard"]
    assert [way.split()[2] for way in said(capsys, "show", SIMILAR[:8])["ways_out"]] == ["release", "discard"]
    status, message = complaint(capsys, "show", FINE[:8])
    assert (status, message) == (65, f"sidwatch: sample {FINE[:12]} is active, not in quarantine\n")


def test_a_release_lets_in_and_is_audited(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "release", SIMILAR[:8], "--reason", "another photograph") == {"released": [SIMILAR]}
    assert state_of(folder, SIMILAR) == "active"
    assert audited(folder) == [("quarantine_release", "another photograph")]


def test_of_several_all_are_let_in_or_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, message = complaint(capsys, "release", SIMILAR[:8], DISPUTED[:8], "--reason", "all fine")
    assert status == 65 and "contradict each other" in message and message.count("\n") == 1
    assert state_of(folder, SIMILAR) == "quarantined"
    assert audited(folder) == []


def test_a_confirmation_settles_contradicting_labels_and_is_audited(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "confirm", DISPUTED[:8], "--label", "synthetic", "--family", "sdxl", "--reason", "seen by hand")
    with open_store(folder / "state", read_only=True) as store:
        found = store.samples.sample_facts(DISPUTED)
    assert (found.state, found.label, found.family) == ("active", "synthetic", "sdxl")
    assert audited(folder) == [("relabel", "seen by hand")]


def test_only_what_is_in_quarantine_can_be_confirmed_or_discarded(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["confirm", FINE[:8], "--label", "synthetic"], ["discard", FINE[:8]]):
        status, message = complaint(capsys, *arguments, "--reason", "seen by hand")
        assert (status, message) == (65, f"sidwatch: sample {FINE[:12]} is active, not in quarantine\n")
    status, message = complaint(capsys, "confirm", DISPUTED[:8], "--label", "fake", "--reason", "seen by hand")
    assert status == 2 and "a label is real or synthetic" in message
    assert audited(folder) == []


def test_what_is_discarded_is_forgotten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = said(capsys, "discard", SIMILAR[:8], "--reason", "a screenshot")
    assert (done["gone"], done["state"]) == (1, "done")
    assert state_of(folder, SIMILAR) == "forgotten"
    assert [action for action, _ in audited(folder)] == ["forget"]
