from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from daemon.errors import BadInputError, ImageRejected
from daemon.model import Report
from daemon.web import create_app
from tests.unit.web.service import FakeService

SHA = "a" * 64
BEARER = {"authorization": "Bearer bring"}


def client(service: FakeService, *, ingest: str | None = "bring", read: str | None = None) -> TestClient:
    app = create_app(
        service,
        read_token=SecretStr(read) if read else None,
        ingest_token=SecretStr(ingest) if ingest else None,
        max_upload=1000,
    )
    return TestClient(app, raise_server_exceptions=False)


def test_a_picture_in_a_form_and_a_known_one_as_json() -> None:
    service = FakeService()
    web = client(service)
    sent = web.post(
        "/v1/feedback",
        files={"image": b"one"},
        data={"verdict": "real", "note": "ours"},
        headers={**BEARER, "idempotency-key": "7"},
    )
    assert (sent.status_code, sent.json()["outcome"]) == (202, "stored")
    known = {"verdict": "synthetic", "family": "sdxl", "sha256": SHA}
    assert web.post("/v1/feedback", json=known, headers=BEARER).status_code == 202
    assert web.post("/v1/feedback", files={"note": (None, "x")}, data=known, headers=BEARER).status_code == 202
    assert service.reports == [
        (b"one", "", Report("real", None, "ours", "7")),
        (None, SHA, Report("synthetic", "sdxl")),
        (None, SHA, Report("synthetic", "sdxl", "x")),
    ]


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ({"json": {"verdict": "real"}}, 422, "either the picture"),
        ({"json": {"verdict": "perhaps", "sha256": SHA}}, 422, "verdict"),
        ({"json": {"verdict": "real", "sha256": "abc"}}, 422, "sha256"),
        ({"json": {"verdict": "real", "sha256": SHA, "who": "me"}}, 422, "who"),
        ({"json": {"verdict": "real", "sha256": SHA, "note": "a\0b"}}, 422, "note"),
        ({"json": ["real"]}, 422, "not a JSON object"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422, "not JSON"),
        ({"content": b"[" * 60_000, "headers": {"content-type": "application/json"}}, 422, "not JSON"),
        (
            {"content": b"x" * 70_000, "headers": {"content-type": "application/json"}},
            413,
            "the JSON object is larger than 65536 bytes",
        ),
        ({"content": b"x", "headers": {"content-type": "image/png"}}, 415, "multipart form"),
        ({"files": {"image": b"x" * 1001}, "data": {"verdict": "real"}}, 413, "larger"),
        ({"files": {"image": b""}, "data": {"verdict": "real"}}, 422, "no bytes"),
        ({"files": {"image": b"x", "note": b"y"}, "data": {"verdict": "real"}}, 422, "Too many files"),
        ({"files": {"note": b"y"}, "data": {"verdict": "real", "sha256": SHA}}, 422, "is a file"),
        ({"files": {"image": b"x"}, "data": {"verdict": "real", "sha256": SHA}}, 422, "either the picture"),
        ({"files": {"image": b"x"}}, 422, "verdict"),
    ],
)
def test_what_is_no_report_is_a_problem(body: dict[str, Any], code: int, told: str) -> None:
    service = FakeService()
    headers = {**BEARER, **body.pop("headers", {})}
    answer = client(service).post("/v1/feedback", headers=headers, **body)
    assert (answer.status_code, answer.headers["content-type"]) == (code, "application/problem+json")
    assert told in answer.json()["detail"]
    assert service.reports == []


def test_what_the_service_refuses_is_told() -> None:
    service = FakeService()
    web = client(service)
    for error, code in ((ImageRejected("corrupt", "truncated"), 422), (BadInputError("no such picture"), 422)):
        service.verdict = error
        answer = web.post("/v1/feedback", json={"verdict": "real", "sha256": SHA}, headers=BEARER)
        assert (answer.status_code, answer.json()["detail"]) == (code, str(error))


def test_it_asks_for_the_ingest_token_and_for_no_other() -> None:
    service = FakeService()
    report = {"verdict": "real", "sha256": SHA}

    def code(web: TestClient, authorization: str = "") -> int:
        headers = {"authorization": authorization} if authorization else {}
        return web.post("/v1/feedback", json=report, headers=headers).status_code

    assert code(client(service, ingest=None)) == 403
    assert code(client(service, ingest=None, read="look"), "Bearer look") == 403
    both = client(service, read="look")
    assert [code(both, a) for a in ("", "Bearer look", "Basic OmJyaW5n", "Bearer bring")] == [401, 403, 401, 202]
    assert both.get("/v1/status", headers=BEARER).status_code == 403  # known, but not for reading
    assert both.get("/v1/feedback", headers={"authorization": "Bearer look"}).status_code == 405
    assert len(service.reports) == 1
