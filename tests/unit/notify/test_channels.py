"""Each channel against a real receiver on the loopback."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import TypeAdapter
from standardwebhooks import Webhook, WebhookVerificationError

from daemon.errors import ConfigurationError, TemporaryError
from daemon.notify.channels import make_channels
from daemon.notify.message import Message, Picture, compose
from daemon.ports import Channel
from daemon.settings import ChannelSettings
from tests.acceptance.command import free_port
from tests.unit.notify.test_message import CHANGE

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PICTURES = [Picture(digit * 64, -1.5, b"\xff\xd8\xff" + bytes(200)) for digit in "abc"]
MESSAGE = compose(
    CHANGE, page="https://watch.example", examples=[{"sha256": p.sha256, "logit": p.logit} for p in PICTURES]
)


def channel(**settings: Any) -> Channel:
    one: ChannelSettings = TypeAdapter(ChannelSettings).validate_python({"name": "team", **settings})
    (made,) = make_channels((one,))
    return made


class Receiver:
    """A web server that answers as told."""

    def __init__(self) -> None:
        self.answer = 204
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posted.append((self.path, dict(self.headers), body))
                self.send_response(outer.answer)
                if outer.answer == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?key=hidden"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "*")
    made = Receiver()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_webhook_is_signed_as_the_reference_library_verifies_and_carries_everything(receiver: Receiver) -> None:
    channel(kind="webhook", url=receiver.url, secret=SECRET).send(MESSAGE, PICTURES, "")
    ((path, headers, body),) = receiver.posted
    assert path == "/hook?key=hidden"
    told = Webhook(SECRET).verify(body, headers)
    assert headers["Idempotency-Key"] == headers["webhook-id"] == told["id"] == MESSAGE.id
    assert told["family"] == "aurora_v2"
    assert told["figures"]["raw"]["ap_lower"] == 0.498
    assert [picture["sha256"] for picture in told["pictures"]] == [picture.sha256 for picture in PICTURES]
    assert told["link"] == "https://watch.example/families/aurora_v2"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"evading", b"detected"), headers)


@pytest.mark.parametrize("answer", [302, 400, 401, 410, 500, 503])
def test_only_a_2xx_answer_means_that_a_webhook_was_taken(receiver: Receiver, answer: int) -> None:
    receiver.answer = answer
    with pytest.raises(TemporaryError, match=f"^team: answered {answer}$"):
        channel(kind="webhook", url=receiver.url, secret="s" * 16).send(MESSAGE, (), "")
    assert len(receiver.posted) == 1  # a redirect is not followed


@contextmanager
def endless(drip: bytes) -> Iterator[str]:
    """A server that goes on answering for as long as anybody listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def answer() -> None:
        taken, _ = listener.accept()
        with taken, suppress(OSError):
            taken.recv(65536)
            taken.sendall(b"HTTP/1.1 204 No Content\r\n" if drip == b"X" else b"HTTP/1.1 200 OK\r\n\r\n")
            while not over.wait(0.02):
                taken.sendall(drip)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    finally:
        over.set()
        listener.close()
        thread.join(10)


def test_a_webhook_that_answers_byte_by_byte_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with (
        endless(b"X") as url,  # a header that never ends
        pytest.raises(TemporaryError, match=r"^team: no answer \(TimeoutError\)$"),
    ):
        channel(kind="webhook", url=url, secret="s" * 16, timeout="500ms").send(MESSAGE, (), "")


def test_what_a_webhook_says_beside_its_status_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with endless(b"and so on " * 100) as url:
        channel(kind="webhook", url=url, secret="s" * 16, timeout="5s").send(MESSAGE, (), "")


def test_an_error_names_no_address(receiver: Receiver) -> None:
    receiver.server.server_close()
    with pytest.raises(TemporaryError) as raised:
        channel(kind="webhook", url=receiver.url, secret="s" * 16).send(MESSAGE, (), "")
    assert "hidden" not in str(raised.value)
    assert "127.0.0.1" not in str(raised.value)


def test_a_secret_that_is_no_key_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="not base64"):
        channel(kind="webhook", url="http://h/", secret="whsec_this is not base64")


class Mailbox:
    """An SMTP handler that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse: str | None = None

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        if self.refuse:
            return self.refuse
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, Channel]]:
    box = Mailbox()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    try:
        yield box, channel(
            kind="email", host="127.0.0.1", port=port, security="none", sender="Watch <watch@example.org>",
            recipients=["one@example.org", "two@example.org"],
        )  # fmt: skip
    finally:
        controller.stop()


def test_a_mail_has_a_stable_message_id_the_figures_and_three_pictures() -> None:
    with mail_server() as (box, mail):
        assert mail.recipients == ("one@example.org", "two@example.org")
        mail.send(MESSAGE, PICTURES, "one@example.org")
        mail.send(MESSAGE, PICTURES, "one@example.org")
    first, again = box.mails
    assert first["Message-ID"] == again["Message-ID"] == f"<{MESSAGE.id}.sidwatch@example.org>"
    assert first["To"] == "one@example.org"
    assert first["Subject"] == "sidwatch: aurora_v2 is evading (was detected)"
    assert first["Auto-Submitted"] == "auto-generated"
    body = first.get_body(("plain",))
    assert body is not None and "AP 0.583 [0.498, 0.669]" in body.get_content()
    attached = list(first.iter_attachments())
    assert [part.get_content_type() for part in attached] == ["image/jpeg"] * 3
    assert attached[0].get_content() == PICTURES[0].content


def test_a_mail_server_that_refuses_is_a_temporary_error_that_repeats_nothing_it_said() -> None:
    with mail_server() as (box, mail):
        box.refuse = "451 one@example.org is over quota"
        with pytest.raises(TemporaryError, match=r"^team: the mail server answered 451$"):
            mail.send(MESSAGE, (), "one@example.org")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sender": "nobody"}, "no e-mail address"),
        ({"sender": "a@example.org\nBcc: c@example.org"}, "no e-mail address"),
        ({"recipients": ["b@example.org", "c@example.org\r\nSubject: x"]}, "no e-mail address"),
        ({"recipients": ["a@example.org", "b"]}, "no e-mail address"),
    ],
)
def test_what_is_no_address_is_refused_at_the_start(changes: dict[str, Any], complaint: str) -> None:
    valid = {"kind": "email", "host": "h", "sender": "a@example.org", "recipients": ["b@example.org"]}
    with pytest.raises(ConfigurationError, match=complaint):
        channel(**{**valid, **changes})


def test_apprise_reaches_its_services(receiver: Receiver) -> None:
    address = receiver.url.replace("http://", "json://").partition("?")[0]
    channel(kind="apprise", url=address).send(MESSAGE, PICTURES, "")
    ((_, _, body),) = receiver.posted
    told = json.loads(body)
    assert told["title"] == MESSAGE.title
    assert MESSAGE.id in told["message"]
    assert len(told["attachments"]) == 3
    receiver.answer = 500
    with pytest.raises(TemporaryError, match=r"^team: apprise could not send it$"):
        channel(kind="apprise", url=address).send(MESSAGE, (), "")


def test_an_address_that_apprise_does_not_know_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="does not know"):
        channel(kind="apprise", url="nothing-like-it")


@pytest.mark.parametrize("address", ["slack://hidden/away", "http://hidden/", "hidden", "nosuch://hidden@host/hidden"])
def test_a_wrong_address_is_neither_logged_nor_said(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "apprise")
    with pytest.raises(ConfigurationError) as raised:
        channel(kind="apprise", url=address)
    assert "hidden" not in caplog.text + str(raised.value)


REPORT = replace(MESSAGE, attachments=[{"name": "week.html", "media_type": "text/html", "text": "<h1>Größe</h1>\n"}])


def test_a_file_reaches_every_kind_of_channel_whole(receiver: Receiver) -> None:
    channel(kind="webhook", url=receiver.url, secret=SECRET).send(REPORT, (), "")
    channel(kind="apprise", url=receiver.url.replace("http://", "json://").partition("?")[0]).send(REPORT, (), "")
    (_, headers, hooked), (_, _, apprised) = receiver.posted
    (file,) = Webhook(SECRET).verify(hooked, headers)["attachments"]
    assert (file["name"], file["media_type"]) == ("week.html", "text/html")
    assert base64.b64decode(file["data"]).decode() == "<h1>Größe</h1>\n"
    (other,) = json.loads(apprised)["attachments"]
    assert other["filename"] == "week.html"
    assert base64.b64decode(other["base64"]).decode() == "<h1>Größe</h1>\n"


def test_a_file_is_attached_to_a_mail() -> None:
    with mail_server() as (box, mail):
        mail.send(REPORT, (), "one@example.org")
    (attached,) = box.mails[0].iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("week.html", "text/html")
    assert attached.get_content_disposition() == "attachment"
    assert attached.get_content() == "<h1>Größe</h1>\n"


def test_a_message_that_waited_since_before_there_were_files_is_still_read() -> None:
    kept = {name: value for name, value in MESSAGE.to_json().items() if name != "attachments"}
    found = Message.from_json(kept)
    assert found.attached == []
    assert replace(found, attachments=MESSAGE.attachments) == MESSAGE
    assert Message.from_json(REPORT.to_json()) == REPORT
