"""A source that never answers holds up nobody else, and the end of the service neither."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.integration.test_service import Service
from tests.unit.adapters.feed_server import dripping, serving

DEADLINE = 20  # seconds of the hanging adapter's poll: longer than a busy machine takes to start the other one's


@pytest.mark.accept
def test_a_hanging_source_is_cut_at_its_deadline_while_the_others_deliver(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox" / "real" / "kodak"
    inbox.mkdir(parents=True)
    for i in range(5):
        (inbox / f"{i}.jpg").write_bytes(b"no picture, and taken note of " + bytes([i]))
    with serving() as site:
        site.answers["/feed"] = dripping
        configuration = {
            "encoder": {"name": "forensic"},
            "http": {"port": 0},
            "adapters": [
                {
                    "name": "hanging",
                    "kind": "http_feed",
                    "every": "1s",
                    "deadline": f"{DEADLINE}s",
                    "options": {"url": site.url("/feed"), "allowed_hosts": [f"127.0.0.1:{site.port}"], "timeout": 300},
                },
                {
                    "name": "inbox",
                    "kind": "folder",
                    "every": "1s",
                    "options": {"path": str(tmp_path / "inbox"), "settle": 0},
                },
            ],
        }
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        service = Service(tmp_path)
        try:
            until = time.monotonic() + 180
            seen: dict[str, float] = {}
            while len(seen) < 2 and time.monotonic() < until:
                metrics = service.get("/metrics")[1]
                if (
                    'sidwatch_samples_rejected_total{adapter="inbox"' in metrics
                    and 'reason="format_not_allowed"} 5.0' in metrics
                ):
                    seen.setdefault("inbox", time.monotonic())
                if 'sidwatch_job_runs_total{job="intake_hanging",outcome="timed_out"} 1.0' in metrics:
                    seen.setdefault("hanging", time.monotonic())
                assert service.get("/-/healthy")[0] == 200
                time.sleep(0.1)
            assert seen["inbox"] < seen["hanging"]
            (inbox / "new.jpg").write_bytes(b"comes while the other hangs")
            assert service.end(signal.SIGTERM) == 0
        finally:
            if service.process.poll() is None:
                os.killpg(service.process.pid, signal.SIGKILL)
                service.process.wait()
        assert json.loads(service.command("verify", "--json").stdout)["ok"]
