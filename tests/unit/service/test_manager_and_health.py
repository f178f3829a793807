"""What the service manager and Docker are told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from daemon.asking import ask_health
from daemon.errors import ConfigurationError
from daemon.settings import HttpSettings, Settings
from daemon.systemd import tell_manager


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_manager_is_told_at_its_socket(abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "@sidwatch-test-" + tmp_path.name if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        assert tell_manager("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_without_a_manager_nobody_is_told_and_a_manager_that_went_away_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not tell_manager("WATCHDOG=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not tell_manager("WATCHDOG=1")


@pytest.fixture
def answering() -> Iterator[ThreadingHTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ready = self.path == "/-/ready"
            body = json.dumps({"reasons": ["the service is starting"]} if ready else {"healthy": True}).encode()
            self.send_response(503 if ready else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_health_is_what_the_service_says(answering: ThreadingHTTPServer) -> None:
    settings = Settings(http=HttpSettings(host="0.0.0.0", port=answering.server_address[1]))
    assert ask_health(settings, ready=False) == (True, [])
    assert ask_health(settings, ready=True) == (False, ["the service is starting"])


def test_nobody_there_is_not_well_and_no_port_is_a_wrong_configuration(answering: ThreadingHTTPServer) -> None:
    port = answering.server_address[1]
    answering.shutdown()
    answering.server_close()
    found = ask_health(Settings(http=HttpSettings(port=port)), ready=False)
    assert not found.well
    assert "does not answer" in found.reasons[0]
    with pytest.raises(ConfigurationError, match=r"http\.port"):
        ask_health(Settings(http=HttpSettings(port=0)), ready=False)
