"""Adapters that hang, raise, crash, fork, lie about types or never end, side by side with one that works."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tests.integration.test_feedback import jpeg
from tests.integration.test_service import Service
from tests.unit.children.conftest import install_fake_adapter

# How each one behaves, and how its first poll must end.
FAULTS = {
    "hang": "timed_out",
    "raises": "failed",
    "segfault": "failed",
    "leave_orphan": "ok",
    "wrong_types": "ok",
    "no_batch": "failed",
    "million": "failed",
    "garbage": "failed",
}
PATIENCE = 500.0  # seconds, generous: nothing here is about speed


def gone(pid: int) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.2)
    return False


def healthy(service: Service) -> bool:
    """Whether it says so, on a busy machine within a minute."""
    until = time.monotonic() + 60
    while service.get("/-/healthy")[0] != 200:
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


@pytest.mark.accept
@pytest.mark.timeout(900)
def test_each_costs_its_own_poll_and_nothing_else(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install_fake_adapter(packages)
    inbox = tmp_path / "inbox" / "real" / "kodak"
    inbox.mkdir(parents=True)
    (inbox / "first.jpg").write_bytes(jpeg(1))
    orphan = tmp_path / "orphan"
    faulty = [
        {
            "name": how,
            "kind": "fake",
            "every": "20s",
            "deadline": "8s" if how == "hang" else "4m",  # the others end by themselves
            "budget": 20,
            "options": {"how": how, "file": str(orphan)},
        }
        for how in FAULTS
    ]
    working = {
        "name": "inbox",
        "kind": "folder",
        "every": "1s",
        "options": {"path": str(tmp_path / "inbox"), "settle": 0},
    }
    configuration = {"encoder": {"name": "forensic"}, "http": {"port": 0}, "adapters": [*faulty, working]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    service = Service(tmp_path, packages)
    try:
        missing = {f'sidwatch_job_runs_total{{job="intake_{how}",outcome="{end}"}}' for how, end in FAULTS.items()}
        until = time.monotonic() + PATIENCE
        while missing and time.monotonic() < until:
            lines = [line.rpartition(" ") for line in service.get("/metrics")[1].splitlines()]
            missing -= {name for name, _, value in lines if not name.startswith("#") and float(value) > 0}
            time.sleep(0.3)
        assert missing == set()
        (inbox / "second.jpg").write_bytes(jpeg(2))  # comes while the others go on failing
        service.wait_for_vectors(2)
        assert healthy(service)
        assert service.end(signal.SIGTERM) == 0
        assert gone(int(orphan.read_text())), "what an adapter left behind outlives its poll"
    finally:
        if service.process.poll() is None:
            os.killpg(service.process.pid, signal.SIGKILL)
            service.process.wait()
    listed = json.loads(service.command("status", "--json").stdout)
    rejected = {adapter["name"]: adapter["rejected"] for adapter in listed["adapters"]}
    assert rejected["inbox"] == {}
    assert set(rejected["wrong_types"]) <= {"bad_record", "format_not_allowed", "too_small", "corrupt"}
    assert json.loads(service.command("verify", "--json").stdout)["ok"]
