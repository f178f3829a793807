"""The running service as its users meet it: a real process, real HTTP, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "daemon"]
DEADLINE = 60.0  # seconds, generous: nothing here is about speed


class Service:
    """`sidwatch run` on a small simulated world."""

    def __init__(self, folder: Path, *packages: Path) -> None:
        self.folder = folder
        path = os.pathsep.join(map(str, (*packages, ROOT)))
        environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}
        self.process = subprocess.Popen(
            [*COMMAND, "run"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stderr is not None
        self.url = ""
        for line in self.process.stderr:
            if line.startswith("sidwatch: status page "):
                self.url = line.split()[-1].rstrip("/")
                break

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        return subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def wait_for_samples(self, count: int) -> None:
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            status, body = self.get("/v1/status")
            if status == 200 and json.loads(body)["samples"]["active"] == count:
                return
            time.sleep(0.5)
        raise AssertionError(f"not {count} samples within {DEADLINE:g} s: {self.get('/v1/status')}")

    def wait_for_vectors(self, count: int, seconds: float = DEADLINE) -> None:
        """Until that many samples have been taken in and none waits for a vector."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status, body = self.get("/v1/status")
            if status == 200:
                found = json.loads(body)
                waiting = {queue["stage"]: queue["samples"] for queue in found["queue"]}
                if found["samples"]["active"] == count and not waiting.get("embed"):
                    return
            time.sleep(0.5)
        raise AssertionError(f"not {count} vectors within {seconds:g} s: {self.get('/v1/status')}")

    def end(self, number: signal.Signals) -> int:
        assert self.process.stderr is not None
        self.process.send_signal(number)
        self.process.stderr.read()
        return self.process.wait(timeout=DEADLINE)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    configuration = {
        "encoder": {"name": "forensic"},
        "http": {"port": 0},
        "adapters": [
            {
                "name": "world",
                "kind": "simulated",
                "trust": "trusted",
                "options": {
                    "start": "2020-01-01T00:00:00Z",
                    "days": 0,
                    "photographs_at_start": 2,
                    "generated_at_start": 2,
                },
            }
        ],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    running = Service(tmp_path)
    yield running
    if running.process.poll() is None:
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
    if running.process.stderr is not None:
        running.process.stderr.close()


def test_the_service_answers_takes_in_and_ends_cleanly_on_sigterm(service: Service) -> None:
    assert service.get("/-/healthy")[0] == 200
    service.wait_for_samples(18)
    status, body = service.get("/-/ready")
    assert status == 503
    assert "no champion yet" in json.loads(body)["reasons"][0]
    assert service.get("/")[0] == 200
    assert 'sidwatch_samples_ingested_total{adapter="world"} 18.0' in service.get("/metrics")[1]
    assert service.get("/v1/nothing")[0] == 404
    second = service.command("run")
    assert second.returncode == 75
    assert f"process {service.process.pid}" in second.stderr
    assert service.command("verify").returncode == 0
    assert json.loads(service.command("status", "--json").stdout)["service"]["state"] == "ready"
    assert service.end(signal.SIGTERM) == 0
    assert json.loads(service.command("status", "--json").stdout)["service"]["state"] == "stopped"
    verified = json.loads(service.command("verify", "--deep", "--json").stdout)
    assert verified["ok"], verified


def test_sigint_ends_it_as_well(service: Service) -> None:
    assert service.end(signal.SIGINT) == 0
    assert service.command("verify").returncode == 0
