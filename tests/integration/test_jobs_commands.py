"""`sidwatch jobs …`: what runs and what a person keeps from running, beside a real service and across its restart."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from daemon.cli import run
from daemon.jobs import intervals
from daemon.settings import load
from tests.integration.test_service import DEADLINE, Service

TOKEN = "w" * 20


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "inbox").mkdir()
    configuration = {
        "encoder": {"name": "forensic"},
        "http": {"port": 0, "write_token": TOKEN},
        "schedule": {"cycle_every": "1s"},
        "adapters": [{"name": "inbox", "kind": "folder", "every": "1s", "options": {"path": "inbox"}}],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[], Service]]:
    running: list[Service] = []

    def begin() -> Service:
        running.append(Service(folder))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
            one.process.wait()
        if one.process.stderr is not None:
            one.process.stderr.close()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run(["jobs", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    status = run(["jobs", *arguments])
    return status, capsys.readouterr().err


def row(capsys: pytest.CaptureFixture[str], job: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in said(capsys, "list") if one["job"] == job)
    return found


def seen(service: Service, job: str) -> dict[str, Any]:
    found = next((one for one in json.loads(service.get("/v1/jobs")[1]) if one["job"] == job), None)
    assert found is not None
    return dict(found)


def wait(what: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.2)


def test_a_job_that_is_not_there_is_named_with_those_that_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("run", "pause", "resume"):
        status, text = complaint(capsys, action, "intake_nobody")
        assert status == 65
        assert "no job 'intake_nobody'" in text
        assert "intake_inbox" in text
    assert "not paused" in complaint(capsys, "resume", "cycle")[1]
    assert complaint(capsys, "pause", "cycle", "--for", "0s")[0] == 65
    assert complaint(capsys, "pause", "cycle", "--for", "soon")[0] == 2


def test_the_list_has_every_job_and_says_what_never_ran(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(capsys, "list")[0] == 78  # no store yet
    complaint(capsys, "resume", "cycle")  # makes it
    rows = said(capsys, "list")
    assert {one["job"] for one in rows} == set(intervals(load(folder / "config.yaml")))
    assert {one["state"] for one in rows} == {"never ran"}
    assert (row(capsys, "intake_inbox")["every"], row(capsys, "update")["every"]) == ("1s", None)


def test_run_until_idle_leaves_out_a_paused_poll_and_says_when_the_cycle_is_paused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "pause", "cycle", "--reason", "wait for me")
    capsys.readouterr()
    assert run(["run", "--until-idle"]) == 75
    assert "wait for me; `sidwatch jobs resume cycle`" in capsys.readouterr().err
    said(capsys, "resume", "cycle")
    said(capsys, "pause", "intake_inbox")
    assert run(["run", "--until-idle"]) == 0
    assert "an adapter is left out" in capsys.readouterr().err


def test_a_paused_job_stays_paused_across_a_restart_and_every_view_says_so(
    folder: Path, start: Callable[[], Service], capsys: pytest.CaptureFixture[str]
) -> None:
    service = start()
    wait(lambda: row(capsys, "intake_inbox")["state"] != "never ran")
    wait(lambda: 'sidwatch_job_paused{job="intake_inbox"} 0.0' in service.get("/metrics")[1])
    done = said(capsys, "pause", "intake_inbox", "--reason", "the disk is moved")
    assert done["outcome"].endswith(": the disk is moved")
    wait(lambda: seen(service, "intake_inbox")["paused"] is not None)
    wait(lambda: row(capsys, "intake_inbox")["outcome"] == "ok")  # what was under way ends, nothing begins
    wait(lambda: 'sidwatch_job_paused{job="intake_inbox"} 1.0' in service.get("/metrics")[1])
    assert "the disk is moved" in service.get("/")[1]
    assert service.end(signal.SIGTERM) == 0

    again = start()
    before = row(capsys, "intake_inbox")["finished_at"]
    wait(lambda: json.loads(again.get("/v1/status")[1]).get("service", {}).get("state") == "ready")
    time.sleep(2.5)  # two intervals
    assert row(capsys, "intake_inbox")["finished_at"] == before
    assert seen(again, "intake_inbox")["paused"]["reason"] == "the disk is moved"
    status, text = complaint(capsys, "run", "intake_inbox")
    assert (status, "jobs resume" in text) == (65, True)
    said(capsys, "resume", "intake_inbox")
    wait(lambda: row(capsys, "intake_inbox")["finished_at"] != before)
    wait(lambda: seen(again, "intake_inbox")["paused"] is None)


def test_a_paused_cycle_is_resumed_over_http_and_a_job_runs_when_asked_for(
    folder: Path, start: Callable[[], Service], capsys: pytest.CaptureFixture[str]
) -> None:
    service = start()
    with httpx.Client(
        base_url=service.url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=DEADLINE, trust_env=False
    ) as client:
        paused = client.post("/v1/jobs/cycle/pause", json={"reason": "wait", "length": "2h"})
        assert paused.status_code == 200
        assert "cycle is paused by api until" in paused.json()["text"]
        assert seen(service, "cycle")["paused"]["by"] == "api"
        assert client.post("/v1/jobs/cycle/run", json={"reason": "now"}).status_code == 422
        assert client.post("/v1/jobs/cycle/resume", json={"reason": "go on"}).status_code == 200
        assert client.post("/v1/jobs/cycle/resume", json={"reason": "go on"}).status_code == 422
        assert client.post("/v1/jobs/nothing/run", json={"reason": "now"}).status_code == 404
    finished = row(capsys, "cycle")["finished_at"]
    wait(lambda: row(capsys, "cycle")["finished_at"] != finished)
    assert row(capsys, "gate_imports")["state"] == "never ran"
    assert "the running service" in said(capsys, "run", "gate_imports")["outcome"]
    wait(lambda: row(capsys, "gate_imports")["outcome"] == "ok")
    assert service.command("verify").returncode == 0
