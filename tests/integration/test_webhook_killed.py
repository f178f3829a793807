"""SIGKILL between the webhook's answer and the note of it: the notice is sent again, with the same id and bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.integration.world import FINGERPRINT, START, World
from tests.unit.notify.test_webhook import promoted

PROGRAM = """
from pathlib import Path
from daemon.app import opened
from daemon.notify.webhook import deliver
from daemon.settings import load
with opened(load(Path("config.yaml")), encoder=False) as state:
    print(deliver(state.context))
"""

Seen = list[tuple[str, bytes]]


@pytest.fixture
def receiver() -> Iterator[tuple[str, Seen]]:
    """The address of a server that takes everything, and what it was sent."""
    seen: Seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.headers["webhook-id"], body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", seen
        server.shutdown()
        thread.join()


def run(folder: Path, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()


def test_a_notice_that_was_taken_but_not_noted_is_sent_once_more(tmp_path: Path, receiver: tuple[str, Seen]) -> None:
    url, seen = receiver
    world = World(tmp_path / "state")
    row = promoted(world, 1)
    world.store.close()
    config = {
        "store": {"directory": "state"},
        "clock": {"kind": "simulated", "start": START.isoformat()},
        "encoder": {"name": "external", "external": {"fingerprint": FINGERPRINT, "dimension": 16}},
        "webhook": {"url": url, "secret": "sixteen characters"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert run(tmp_path, SIDWATCH_FAILPOINT="webhook.sent")[0] == -signal.SIGKILL
    assert run(tmp_path) == (0, "1 of 1 delivered")
    assert run(tmp_path) == (0, "")
    assert [event for event, _ in seen] == [row.hash] * 2
    assert seen[0] == seen[1]
