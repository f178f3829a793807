"""The champion for programs that score elsewhere: entity tags, files, faults."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from daemon.errors import BadInputError, ChampionMoved, SidwatchError
from daemon.web import create_app
from daemon.web.entity import matches
from tests.unit.web.service import FakeService
from tests.unit.web.test_app import client

PATH = "/v1/models/champion"


def test_who_has_the_champion_already_gets_no_bytes() -> None:
    service = FakeService()
    web = client(service)
    first = web.get(PATH)
    assert (first.status_code, first.json()) == (200, {"version": "v0001-aaaaaaaa"})
    tag = first.headers["etag"]
    assert tag == f'"{sha256(first.content).hexdigest()}"' and first.headers["cache-control"] == "no-cache"
    again = web.get(PATH, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    service.champion = b'{"version":"v0002-bbbbbbbb"}'
    changed = web.get(PATH, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["version"]) == (200, "v0002-bbbbbbbb")
    assert changed.headers["etag"] != tag


def test_head_says_the_same_without_the_bytes() -> None:
    web = client(FakeService())
    head = web.head(PATH)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", web.get(PATH).headers["etag"])


@pytest.mark.parametrize(
    ("condition", "same"),
    [("", False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ("a", False), ('"ab"', False)],
)
def test_a_condition_is_a_list_of_tags(condition: str, same: bool) -> None:
    assert matches(condition, '"a"') == same


def test_without_a_champion_one_is_asked_to_come_back() -> None:
    service = FakeService()
    service.champion = None
    answer = client(service).get(PATH)
    assert answer.status_code == 503 and "Retry-After" in answer.headers


@pytest.mark.parametrize("name", ["manifest.json", "tensors.safetensors", "score.py"])
def test_a_file_of_a_version_is_served_with_its_tag(name: str) -> None:
    answer = client(FakeService()).get(f"/v1/models/v0001-aaaaaaaa/files/{name}")
    assert (answer.status_code, answer.content) == (200, name.encode())
    assert answer.headers["etag"] == f'"{sha256(name.encode()).hexdigest()}"'


@pytest.mark.parametrize(
    "path",
    ["v0001-aaaaaaaa/files/other", "v0009-ffffffff/files/score.py", "v0001-aaaaaaaa/files/..%2Fmanifest.json"],
)
def test_nothing_else_is_a_file(path: str) -> None:
    answer = client(FakeService()).get(f"/v1/models/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_the_read_token_covers_it() -> None:
    web = client(FakeService(), token="secret")
    assert web.get(PATH).status_code == 401
    assert web.get(PATH, headers={"Authorization": "Bearer secret"}).status_code == 200


def writing(service: FakeService, read: str | None = None) -> TestClient:
    secret = SecretStr(read) if read else None
    return TestClient(
        create_app(service, read_token=secret, write_token=SecretStr("pen")), raise_server_exceptions=False
    )


APPROVE = "/v1/models/v0002-bbbbbbbb/approve"


def test_a_person_decides_by_the_write_token_and_a_reason() -> None:
    service = FakeService()
    web = writing(service)
    done = web.post(APPROVE, json={"reason": " looked at "}, headers={"Authorization": "Bearer pen"})
    assert (done.status_code, done.json()["champion"], done.json()["audit"]) == (200, "v0002-bbbbbbbb", 7)
    web.post(APPROVE.replace("approve", "reject"), json={"reason": "no"}, headers={"Authorization": "Bearer pen"})
    assert service.decided == [("v0002-bbbbbbbb", True, "looked at"), ("v0002-bbbbbbbb", False, "no")]


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(None, 401), ("Bearer look", 401), ("Bearer", 401), ("Basic " + b64encode(b"x:pen").decode(), 401)],
)
def test_nothing_else_changes_anything(authorization: str | None, status: int) -> None:
    service = FakeService()
    headers = {"Authorization": authorization} if authorization else {}
    answer = writing(service).post(APPROVE, json={"reason": "mine"}, headers=headers)
    assert answer.status_code == status and service.decided == []


def test_the_read_token_does_not_write_and_the_write_token_reads() -> None:
    service = FakeService()
    web = writing(service, read="look")
    look, pen = {"Authorization": "Bearer look"}, {"Authorization": "Bearer pen"}
    assert web.post(APPROVE, json={"reason": "mine"}, headers=look).status_code == 403
    assert (web.get(PATH, headers=look).status_code, web.get(PATH, headers=pen).status_code) == (200, 200)
    assert web.get(PATH).status_code == 401
    assert web.post(APPROVE, json={"reason": "mine"}, headers=pen).status_code == 200


def test_without_a_write_token_the_api_changes_nothing() -> None:
    service = FakeService()
    answer = client(service).post(APPROVE, json={"reason": "mine"}, headers={"Authorization": "Bearer None"})
    assert answer.status_code == 403 and "http.write_token" in answer.json()["detail"] and service.decided == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "  "},
        {"reason": "\u200b"},
        {"reason": "x" * 2001},
        {"reason": "a\0b"},
        {"reason": "ok", "actor": "eve"},
        [],
    ],
)
def test_a_decision_without_a_proper_reason_is_refused(body: object) -> None:
    service = FakeService()
    answer = writing(service).post(APPROVE, json=body, headers={"Authorization": "Bearer pen"})
    assert answer.status_code == 422 and service.decided == []


@pytest.mark.parametrize(("refusal", "status"), [(ChampionMoved("stale"), 409), (BadInputError("rejected"), 422)])
def test_a_refusal_says_why(refusal: SidwatchError, status: int) -> None:
    service = FakeService()
    service.refusal = refusal
    answer = writing(service).post(APPROVE, json={"reason": "mine"}, headers={"Authorization": "Bearer pen"})
    assert (answer.status_code, answer.json()["detail"]) == (status, str(refusal))
