"""Who is led here by another site, who hides behind a proxy, and what a token of one scope alone may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr, ValidationError

from daemon.settings import HttpSettings, TokenSettings
from daemon.web import WebServer, create_app
from daemon.web.hosts import names_of
from tests.unit.web.service import FakeService

READER = TokenSettings(name="reader2", token=SecretStr("r" * 20), scopes=("read",))
HAND = TokenSettings(name="hand", token=SecretStr("h" * 20), scopes=("operate",))
AS_HAND = {"authorization": f"Bearer {'h' * 20}"}
NAMES = names_of("127.0.0.1", "https://watch.example.org/", ["Second.example.org"])


def client(**options: object) -> TestClient:
    return TestClient(create_app(FakeService(), **options), raise_server_exceptions=False)  # type: ignore[arg-type]


def test_a_token_that_may_only_operate_operates_although_reading_is_closed_to_it() -> None:
    web = client(tokens=[READER, HAND])
    assert web.post("/v1/episodes/3/ack", json={"reason": "mine"}, headers=AS_HAND).status_code == 200
    assert web.get("/v1/status", headers=AS_HAND).status_code == 403
    assert web.post("/v1/score", files={"image": b"one"}, headers=AS_HAND).status_code == 403
    assert web.post("/try", files={"image": b"one"}, headers=AS_HAND).status_code == 403
    assert web.post("/v1/samples", json={}, headers=AS_HAND).status_code == 403


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("evil.example", 403),
        ("evil.example:8600", 403),
        ("127.0.0.1.evil.example", 403),
        ("watch.example.org.evil.example", 403),
        ("127.0.0.1:8600", 200),
        ("[::1]:8600", 200),
        ("localhost:8600", 200),
        ("sidwatch:8600", 200),
        ("watch.example.org", 200),
        ("WATCH.example.org.:443", 200),
        ("second.example.org", 200),
    ],
)
def test_a_page_whose_name_was_made_to_lead_here_reads_nothing(host: str, code: int) -> None:
    web = client(hosts=NAMES)
    assert web.get("/metrics", headers={"host": host}).status_code == 200  # Prometheus asks by any name
    for path in ("/", "/v1/status", "/static/page.css"):
        answer = web.get(path, headers={"host": host})
        assert answer.status_code == code
        if code == 403:
            assert answer.headers["content-type"] == "application/problem+json"
            assert "http.allowed_hosts" in answer.json()["detail"]


def test_probes_and_who_knows_a_token_may_use_any_name() -> None:
    web = client(hosts=NAMES, tokens=[READER])
    assert web.get("/-/ready", headers={"host": "evil.example"}).status_code == 200
    told = {"host": "proxy.example", "authorization": f"Bearer {'r' * 20}"}
    assert web.get("/v1/status", headers=told).status_code == 200
    assert web.get("/v1/status", headers={**told, "authorization": "Bearer wrong"}).status_code == 403


def test_a_form_of_another_site_judges_no_picture() -> None:
    web = client()
    for path in ("/v1/score", "/try"):
        asked = [
            web.post(path, files={"image": b"one"}, headers={"sec-fetch-site": site}).status_code
            for site in ("cross-site", "same-origin", "none")
        ]
        assert asked == [403, 200, 200]


@contextmanager
def served(*proxies: str) -> Iterator[str]:
    server = WebServer(create_app(FakeService(), requests_per_minute=2), "127.0.0.1", 0, proxies)
    server.start()
    try:
        yield server.url
    finally:
        server.stop(1.0)


def asked_as_many(url: str) -> list[int]:
    return [
        httpx.get(f"{url}/v1/jobs", headers={"x-forwarded-for": f"10.0.0.{number}"}).status_code for number in range(4)
    ]


def test_nobody_gets_more_requests_by_claiming_to_ask_for_others_but_a_trusted_proxy_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn reads it unless it is told
    with served() as url:
        assert asked_as_many(url) == [200, 200, 429, 429]
    with served("127.0.0.0/8") as url:
        assert asked_as_many(url) == [200, 200, 200, 200]


@pytest.mark.parametrize(
    "bad", [{"trusted_proxies": ["*"]}, {"trusted_proxies": ["proxy"]}, {"allowed_hosts": ["a b"]}]
)
def test_a_name_that_is_none_is_refused_at_the_start(bad: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError):
        HttpSettings.model_validate(bad)
