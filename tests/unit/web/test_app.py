from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from daemon.errors import ImageRejected, TemporaryError
from daemon.views import ScoreView
from daemon.web import WebServer, create_app
from tests.unit.web.service import FakeService
from tests.unit.web.snapshot import NOW, empty_status, family, status


def client(service: FakeService, max_upload: int = 1000, token: str | None = None) -> TestClient:
    secret = SecretStr(token) if token else None
    return TestClient(create_app(service, read_token=secret, max_upload=max_upload), raise_server_exceptions=False)


def test_healthy_looks_at_the_beat_alone() -> None:
    service = FakeService(TemporaryError("starting"))
    service.reasons = ["no champion"]
    assert client(service).get("/healthz").status_code == 200
    service.age = 100.0
    assert client(service).get("/-/healthy").status_code == 503
    patient = TestClient(create_app(service, beat_limit=120.0))
    assert patient.get("/-/healthy").status_code == 200


def test_ready_says_why_not() -> None:
    service = FakeService()
    assert client(service).get("/-/ready").json() == {"ready": True, "reasons": []}
    service.reasons = ["store not writable"]
    answer = client(service).get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["store not writable"])


@pytest.mark.parametrize("name", ["families", "versions", "episodes", "decisions", "queue", "adapters", "jobs"])
def test_the_twins_are_parts_of_the_snapshot(name: str) -> None:
    assert client(FakeService()).get(f"/v1/{name}").json() == status().model_dump(mode="json")[name]


def test_one_family_and_unknown_paths() -> None:
    web = client(FakeService())
    assert web.get("/v1/families/aurora_v2").json()["state"] == "evading"
    for path in ("/v1/families/none", "/nope"):
        answer = web.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_picture_is_scored_from_a_form_and_from_a_raw_body() -> None:
    service = FakeService()
    web = client(service)
    assert web.post("/v1/score", files={"image": b"one"}).json()["verdict"] == "synthetic"
    assert web.post("/v1/score", content=b"two", headers={"content-type": "image/png"}).status_code == 200
    assert service.seen == [b"one", b"two"]


def test_a_picture_is_explained_when_asked_and_the_rest_of_the_answer_is_the_same() -> None:
    web = client(FakeService())
    plain = web.post("/v1/score", files={"image": b"one"}).json()
    why = web.post("/v1/score?explain=true", files={"image": b"one"}).json()
    assert "explanation" not in plain
    assert why.pop("explanation")["method"] == "integrated_gradients"
    assert why == plain
    assert web.post("/v1/score?explain=perhaps", files={"image": b"one"}).status_code == 422


@pytest.mark.parametrize(
    ("content", "kind", "error", "code"),
    [
        (b"x", "image/png", ImageRejected("corrupt", "truncated"), 422),
        (b"x", "image/png", TemporaryError("no champion yet"), 503),
        (b"x", "image/png", RuntimeError("secret path"), 500),
        (b"x" * 1001, "image/png", None, 413),
        (b"", "image/png", None, 422),
        (b"x", "text/plain", None, 415),
        (b"x", "multipart/form-data; boundary=z", None, 422),
    ],
)
def test_what_cannot_be_scored_is_a_problem(content: bytes, kind: str, error: Exception | None, code: int) -> None:
    service = FakeService()
    service.verdict = error or service.verdict
    answer = client(service).post("/v1/score", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (code, "application/problem+json")
    assert "secret path" not in answer.text


def test_the_read_token_guards_all_but_the_probes() -> None:
    web = client(FakeService(), token="hunter2")
    assert web.get("/healthz").status_code == 200
    assert web.get("/metrics").status_code == 401
    assert web.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert web.get("/metrics", headers={"authorization": "Bearer hunter2"}).content == b"sidwatch_up 1\n"
    basic = base64.b64encode(b"me:hunter2").decode()
    assert web.get("/", headers={"authorization": f"Basic {basic}"}).status_code == 200


def test_the_page_escapes_names_and_forbids_foreign_scripts() -> None:
    hostile = family("<script>alert(1)</script>", "evading", 0.4)
    answer = client(FakeService(status(families=[hostile]))).get("/")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "style=" not in answer.text


def test_the_page_says_what_people_did_about_an_open_episode() -> None:
    plain = status()
    first = plain.episodes[0].model_copy(update={"handling": "acknowledged", "acknowledged_by": "<ada>"})
    again = plain.episodes[1].model_copy(update={"handling": "snoozed", "snoozed_until": NOW})
    text = client(FakeService(plain.model_copy(update={"episodes": [first, again]}))).get("/").text
    assert "acknowledged by &lt;ada&gt;" in text
    assert "snoozed until" not in text  # that one has recovered


def test_the_page_says_when_there_is_no_champion_and_when_pictures_are_simulated() -> None:
    service = FakeService(empty_status())
    assert "Simulation." not in client(service).get("/").text
    service.simulated = True
    text = client(service).get("/").text
    assert "No champion yet" in text
    assert "Simulation." in text
    assert client(FakeService(TemporaryError("loading"))).get("/").status_code == 503


def test_the_server_says_when_the_port_is_taken_and_stops() -> None:
    app = create_app(FakeService())
    first = WebServer(app, "127.0.0.1", 0)
    first.start()
    try:
        assert httpx.get(first.url + "/healthz").json()["healthy"] is True
        with pytest.raises(TemporaryError, match=rf"{first.port}.*http\.port"):
            WebServer(app, "127.0.0.1", first.port).start()
    finally:
        first.stop(2)
    with pytest.raises(httpx.ConnectError):
        httpx.get(first.url)


class Waiting(FakeService):
    """Judges when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.left = threading.Event()

    def score(self, content: bytes, wanted: Callable[[], bool]) -> ScoreView:
        self.arrived.release()
        until = time.monotonic() + 30
        while not self.go_on.wait(0.02) and time.monotonic() < until:
            if not wanted():
                self.left.set()
                raise TemporaryError("whoever asked has gone")
        return super().score(content, wanted)


@contextmanager
def served(service: FakeService, scores_at_once: int) -> Iterator[WebServer]:
    server = WebServer(create_app(service, scores_at_once=scores_at_once), "127.0.0.1", 0)
    server.start()
    try:
        yield server
    finally:
        server.stop(5)


def post(server: WebServer, content: bytes) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/score", content=content, headers={"content-type": "image/png"}, timeout=60, trust_env=False
    )


def test_one_picture_more_than_may_wait_is_told_to_come_back_and_the_others_are_answered() -> None:
    service = Waiting()
    with served(service, 3) as server, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(post, server, f"{n}".encode()) for n in range(3)]
        for _ in waiting:
            assert service.arrived.acquire(timeout=30)
        refused = post(server, b"one too many")
        assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
        assert int(refused.headers["retry-after"]) > 0
        assert "http.scores_at_once" in refused.json()["detail"]
        service.go_on.set()
        assert [one.result().status_code for one in waiting] == [200, 200, 200]
        assert post(server, b"again").status_code == 200
    assert sorted(service.seen) == [b"0", b"1", b"2", b"again"]


def test_who_closes_the_connection_is_noticed_and_frees_the_place() -> None:
    service = Waiting()
    with served(service, 1) as server:
        with socket.create_connection((server.host, server.port)) as caller:
            caller.sendall(
                b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\none"
            )
            assert service.arrived.acquire(timeout=30)
        assert service.left.wait(30)
        service.go_on.set()
        until = time.monotonic() + 30
        while (answer := post(server, b"two")).status_code == 503 and time.monotonic() < until:
            time.sleep(0.05)
        assert answer.status_code == 200
    assert service.seen == [b"two"]
