"""SIGKILL between a channel's taking a message and the record of it, to the real command, with real receivers."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.controller import Controller

from tests.acceptance.command import environment, free_port, program, sidwatch

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1500)]
KILLED_AT = ("outbox.taken", "outbox.taken:2", "outbox.taken")  # in the middle of a report that both are told


@dataclass
class Received:
    """What came to each of both, in order: (id, name and text of the attached file)."""

    hook: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    mail: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=default)
        files = [
            (str(part.get_filename()), str(part.get_content()))
            for part in mail.iter_attachments()
            if "sidwatch-report" in str(part.get_filename())
        ]
        self.mail.append((str(mail["Message-ID"]).partition(".")[0].lstrip("<"), files))
        return "250 taken"

    def post(self, headers: Any, body: bytes) -> None:
        said = json.loads(body)
        assert headers["Idempotency-Key"] == headers["webhook-id"] == said["id"]
        self.hook.append((said["id"], [(one["name"], one["data"]) for one in said["attachments"]]))


@pytest.fixture
def received() -> Iterator[tuple[Received, int, int]]:
    """What was received, and the ports of both receivers."""
    box = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            box.post(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    hook = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    mail_port = free_port()
    mail = Controller(box, hostname="127.0.0.1", port=mail_port, ready_timeout=60)
    mail.start()
    yield box, hook.server_address[1], mail_port
    mail.stop()
    hook.shutdown()
    hook.server_close()


def configured(folder: Path, hook: int, mail: int) -> None:
    configuration = {
        "encoder": {"name": "forensic"},
        "clock": {"kind": "simulated", "start": "2030-01-01T00:00:00Z", "step": "1d"},
        "http": {"enabled": False},
        "adapters": [
            {
                "name": "world",
                "kind": "simulated",
                "trust": "trusted",
                "options": {
                    "seed": 7,
                    "start": "2030-01-01T00:00:00Z",
                    "days": 2,
                    "photographs_at_start": 20,
                    "generated_at_start": 20,
                },
            }
        ],
        "report": {"every": "1d"},
        "notify": {
            "page_url": "https://watch.example.org",
            "channels": [
                {"name": "team", "kind": "webhook", "url": f"http://127.0.0.1:{hook}/", "secret": "s" * 20},
                {
                    "name": "mail",
                    "kind": "email",
                    "host": "127.0.0.1",
                    "port": mail,
                    "security": "none",
                    "sender": "watch@example.org",
                    "recipients": ["one@example.org"],
                },
            ],
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")


def test_a_kill_after_each_sending_repeats_one_message_under_its_id_and_loses_none(
    tmp_path: Path, received: tuple[Received, int, int]
) -> None:
    box, hook, mail = received
    configured(tmp_path, hook, mail)
    sidwatch("run", "--until-idle", folder=tmp_path)  # a first champion; from now on every simulated day has its report
    for point in KILLED_AT:
        with (tmp_path / "stderr").open("wb") as err:
            killed = subprocess.run(
                [*program(), "run", "--until-idle"],
                cwd=tmp_path,
                env=environment({"SIDWATCH_FAILPOINT": point}),
                stdout=subprocess.DEVNULL,
                stderr=err,
                timeout=900,
                start_new_session=True,
                check=False,
            )
        assert killed.returncode == -9, (tmp_path / "stderr").read_text()[-3000:]
        sidwatch("verify", folder=tmp_path)
    sidwatch("run", "--until-idle", folder=tmp_path)
    waiting = sidwatch("notifications", "list", "--json", folder=tmp_path).json
    assert [(one["channel"], one["waiting"]) for one in waiting] == [("mail", 0), ("team", 0)]
    for taken, channel in ((box.hook, "team"), (box.mail, "mail")):
        ids = [one for one, _ in taken]
        sent = next(one["sent"] for one in waiting if one["channel"] == channel)
        assert len(set(ids)) == sent > 0
        for one in set(ids):  # a repeat carries the same files
            assert len({tuple(files) for name, files in taken if name == one}) == 1
        reports = [files for _, files in taken if files]
        assert reports and all(len(files) == 1 and files[0][0].endswith(".html") for files in reports)
    assert {one for one, _ in box.hook} == {one for one, _ in box.mail}
    assert len(box.hook) + len(box.mail) == 2 * len({one for one, _ in box.hook}) + len(KILLED_AT)
