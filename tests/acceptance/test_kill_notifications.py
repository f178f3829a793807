"""SIGKILL between a channel's taking a message and the record of it: none is lost, a repeat is known by its id."""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from store.state import open_store
from tests.acceptance.command import free_port
from tests.acceptance.conftest import Report
from tests.acceptance.failpoints import RUN, Scenario, execute, finished, first_champion, killed, points, prepared
from tests.acceptance.test_kill_promotion import newcomer

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1500)]

TOLD = Scenario("told", newcomer, RUN, most_per_point=4)


@dataclass
class Received:
    """What came to each of both, in order: (id, what was said)."""

    hook: list[tuple[str, str]] = field(default_factory=list)
    mail: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=default)
        text = mail.get_body(("plain",))
        assert text is not None
        self.mail.append((str(mail["Message-ID"]), str(text.get_content())))
        return "250 taken"

    def post(self, headers: Any, body: bytes) -> None:
        said = json.loads(body)
        assert headers["Idempotency-Key"] == headers["webhook-id"] == said["id"]
        self.hook.append((said["id"], body.decode()))

    def clear(self) -> None:
        self.hook.clear()
        self.mail.clear()


@pytest.fixture
def receivers() -> Iterator[tuple[Received, list[dict[str, Any]]]]:
    """What is received, and the channels that lead there."""
    box = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            box.post(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nothing on the terminal."""

    hook, mail_port = ThreadingHTTPServer(("127.0.0.1", 0), Handler), free_port()
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    mail = Controller(box, hostname="127.0.0.1", port=mail_port, ready_timeout=60)
    mail.start()
    url = f"http://127.0.0.1:{hook.server_address[1]}/"
    post = {"host": "127.0.0.1", "port": mail_port, "security": "none", "sender": "watch@example.org"}
    yield (
        box,
        [
            {"name": "team", "kind": "webhook", "url": url, "secret": "sixteen characters"},
            {"name": "mail", "kind": "email", "recipients": ["one@example.org"], **post},
        ],
    )
    mail.stop()
    hook.shutdown()
    hook.server_close()


def test_killed_after_a_message_was_taken_it_comes_once_more_under_its_id_and_none_is_lost(
    receivers: tuple[Received, list[dict[str, Any]]], tmp_path: Path, report: Report
) -> None:
    box, channels = receivers
    origin = prepared(TOLD, first_champion(tmp_path), tmp_path / "origin", channels)
    trace, quiet = tmp_path / "trace", tmp_path / "quiet"
    shutil.copytree(origin, quiet)
    assert execute(TOLD.command, quiet, SIDWATCH_FAILPOINT_TRACE=str(trace)) == 0
    expected_hook, expected_mail = list(box.hook), list(box.mail)
    assert len(expected_hook) == len(expected_mail) == len(dict(expected_hook)) == len(dict(expected_mail)) > 1
    chosen = [point for point in points(trace, TOLD.most_per_point) if point.startswith("outbox.taken:")]
    assert len(chosen) == 4
    for point in chosen:
        box.clear()
        folder = tmp_path / "killed"
        shutil.copytree(origin, folder)
        killed(TOLD.command, folder, point)
        before = len(box.hook) + len(box.mail)
        assert before == int(point.partition(":")[2])
        finished(TOLD.command, folder, point)
        assert len(box.hook) + len(box.mail) == len(expected_hook) + len(expected_mail) + 1
        for taken, expected in ((box.hook, expected_hook), (box.mail, expected_mail)):
            assert {one for one, _ in taken} == {one for one, _ in expected}
        twice = [one for one, n in Counter(one for one, _ in (*box.hook, *box.mail)).items() if n > 1]
        repeats = [said for one, said in (*box.hook, *box.mail) if one in twice]
        assert len(twice) == 1 and len(repeats) == 2 and len(set(repeats)) == 1
        with open_store(folder / "state", read_only=True) as store:
            assert store.samples.outbox(["team", "mail"]) == []
        shutil.rmtree(folder)
    report(f"kill: notifications: {len(chosen)} SIGKILLs after a message was taken, each came once more, none was lost")
