"""Scopes, rate, paging, actions, and the document that describes them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr, TypeAdapter, ValidationError

from daemon.errors import BadInputError
from daemon.settings import HttpSettings, TokenSettings
from daemon.web import create_app
from daemon.web.guard import Tokens
from tests.unit.web.service import FakeService
from tests.unit.web.snapshot import family, status

SHA = "0" * 64
ADA = TokenSettings(name="ada", token=SecretStr("a" * 20), scopes=("read", "operate"))
FEED = TokenSettings(name="feed", token=SecretStr("f" * 20), scopes=("ingest",))
AS_ADA = {"authorization": f"Bearer {'a' * 20}"}
AS_FEED = {"authorization": f"Bearer {'f' * 20}"}


def client(service: FakeService | None = None, **options: Any) -> TestClient:
    return TestClient(create_app(service or FakeService(), **options), raise_server_exceptions=False)


def operated(service: FakeService, path: str, **body: object) -> int:
    web = client(service, tokens=[ADA])
    return web.post(path, json={"reason": "seen by hand", **body}, headers=AS_ADA).status_code


def test_a_token_may_what_its_scopes_say_and_its_name_is_in_the_audit() -> None:
    service = FakeService()
    web = client(service, tokens=[ADA, FEED])
    report, ack = {"verdict": "real", "sha256": SHA}, {"reason": "mine"}
    for headers, codes in ((AS_ADA, (200, 403, 200)), (AS_FEED, (403, 202, 403)), ({}, (401, 401, 401))):
        got = (
            web.get("/v1/families", headers=headers).status_code,
            web.post("/v1/feedback", json=report, headers=headers).status_code,
            web.post("/v1/episodes/3/ack", json=ack, headers=headers).status_code,
        )
        assert got == codes
    assert service.by_hand.asked == [("acknowledge", 3, "ada", "mine")]


def test_reading_stays_open_until_a_token_is_made_for_it() -> None:
    assert Tokens(write_token=SecretStr("pen")).reading_is_open
    assert Tokens(more=[FEED]).reading_is_open
    assert not Tokens(more=[ADA]).reading_is_open
    assert not Tokens(read_token=SecretStr("look")).reading_is_open


def test_a_browser_s_own_authentication_reads_and_changes_nothing() -> None:
    service = FakeService()
    web = client(service, tokens=[ADA])
    assert web.get("/", auth=("any", "a" * 20)).status_code == 200
    assert web.post("/v1/episodes/3/ack", json={"reason": "x"}, auth=("any", "a" * 20)).status_code == 401
    wanted = web.post("/v1/episodes/3/ack", json={"reason": "x"}), web.get("/v1/status")
    assert ["write_token" in answer.text for answer in wanted] == [True, False], "each names the token that would do"
    assert service.by_hand.asked == []


def test_a_token_is_long_and_scopes_are_known() -> None:
    for bad in ({"token": "short"}, {"scopes": ["root"]}, {"scopes": []}, {"name": "Ada L."}):
        with pytest.raises(ValidationError):
            HttpSettings.model_validate({"tokens": [{"name": "a", "token": "x" * 16, "scopes": ["read"], **bad}]})


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    web = client(requests_per_minute=3, tokens=[FEED])
    assert [web.get("/v1/jobs").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = web.get("/v1/jobs")
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 21
    assert web.get("/healthz").status_code == 200  # a probe is never refused
    assert web.post("/v1/feedback", json={"verdict": "real", "sha256": SHA}, headers=AS_FEED).status_code == 202


def test_a_list_comes_in_parts_that_join_up() -> None:
    web = client(FakeService(status(families=[family(f"family_{n:02d}", "detected") for n in range(7)])))
    names, address = [], "/v1/families?limit=3"
    for _ in range(3):
        answer = web.get(address)
        assert answer.headers["x-total-count"] == "7"
        names += [one["name"] for one in answer.json()]
        found = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        address = found[1] if found else ""
    assert (names, address) == ([f"family_{n:02d}" for n in range(7)], "")
    assert web.get("/v1/families?limit=0").status_code == 422
    assert web.get("/v1/families?offset=99").json() == []


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("/v1/episodes/3/ack", {}, ("acknowledge", 3, "ada", "seen by hand")),
        ("/v1/episodes/3/snooze", {"length": "3d"}, ("snooze", 3, timedelta(days=3), "ada", "seen by hand")),
        ("/v1/episodes/3/close", {}, ("close", 3, "ada", "seen by hand")),
        ("/v1/jobs/cycle/run", {}, ("run_job", "cycle", "ada", "seen by hand")),
        ("/v1/jobs/cycle/resume", {}, ("resume_job", "cycle", "ada", "seen by hand")),
        ("/v1/jobs/cycle/pause", {}, ("pause_job", "cycle", None, "ada", "seen by hand")),
        ("/v1/jobs/cycle/pause", {"length": "2d"}, ("pause_job", "cycle", timedelta(days=2), "ada", "seen by hand")),
        (f"/v1/quarantine/{SHA}/release", {}, ("release", SHA, "ada", "seen by hand")),
        (f"/v1/quarantine/{SHA}/discard", {}, ("discard", SHA, "ada", "seen by hand")),
        (
            f"/v1/quarantine/{SHA}/confirm",
            {"label": "synthetic", "family": "flux_3"},
            ("confirm", SHA, "synthetic", "flux_3", "ada", "seen by hand"),
        ),
        ("/v1/models/rollback", {}, ("roll_back", "ada", "seen by hand")),
    ],
)
def test_an_action_is_carried_out_once_asked_for_with_token_and_reason(
    path: str, body: dict[str, object], asked: tuple[object, ...]
) -> None:
    service = FakeService()
    assert operated(service, path, **body) == 200
    assert service.by_hand.asked == [asked]
    assert operated(service, path, **body, reason=" ") == 422
    assert client(service).post(path, json={"reason": "x", **body}).status_code == 403
    service.by_hand.refusal = BadInputError("nothing is left to do about it")
    assert operated(service, path, **body) == 422
    assert len(service.by_hand.asked) == 1


def test_every_operation_has_examples_that_keep_its_schema_and_says_its_errors() -> None:
    document = client().get("/v1/openapi.json").json()
    silent, wrong = [], []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method} {path}"
            assert {"401", "403", "429", "503"} <= set(operation["responses"]), name
            good = next(code for code in ("200", "202") if code in operation["responses"])
            content = operation["responses"][good].get("content", {}).get("application/json")
            if content is None or content.get("schema") == {}:
                continue  # a file, or bytes with an entity tag
            if "example" not in content:
                silent.append(name)
                continue
            schema = {**content["schema"], "components": document["components"]}
            errors = list(jsonschema_rs.validator_for(schema).iter_errors(content["example"]))
            wrong += [f"{name}: {errors[0].message}"] if errors else []
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None and "$ref" in body["schema"]:
                told = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
                if "example" not in told:
                    silent.append(f"{name}, its body")
    assert (silent, wrong) == ([], [])


def test_details_are_answered_as_json_and_what_is_not_there_is_a_problem() -> None:
    web = client()
    assert web.get("/v1/families/aurora_v2/scores").json()["family"] == "aurora_v2"
    assert web.get("/v1/families/aurora_v2/history").json()["points"] == []
    assert web.get("/v1/episodes/3").json()["timeline"][0]["what"] == "opened"
    assert web.get("/v1/versions/v0003-9c41d2aa").json()["decision"] == "promote"
    for path in ("/v1/families/none/scores", "/v1/episodes/4", "/v1/versions/none"):
        assert web.get(path).status_code == 404
    assert TypeAdapter(list[dict[str, object]]).validate_python(web.get("/v1/quarantine").json()) == []


def test_what_a_caller_sent_is_repeated_in_one_line_that_is_not_endless() -> None:
    web = client()
    for name in ("%0a%0dx", "a" * 5000):
        detail = web.get(f"/v1/versions/{name}").json()["detail"]
        assert "\n" not in detail and "\r" not in detail and len(detail) < 1100


def test_a_body_is_cut_off_before_it_fills_the_memory_token_or_not() -> None:
    service = FakeService()
    web = client(service, write_token=SecretStr("w" * 20))  # reading is open: the guard lets everybody pass
    right = {"authorization": f"Bearer {'w' * 20}"}
    long = b'{"reason": "' + b"x" * 70_000 + b'"}'
    for headers in (right, {}):
        answer = web.post("/v1/models/rollback", content=long, headers={**headers, "content-type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert web.post("/v1/models/rollback", content=(long for _ in range(3)), headers=right).status_code == 413
    assert service.by_hand.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"\\ud800": 1, "reason": "x"}',
        b'{"reason": "\\ud800"}',
        b"\xff\xfe",
        b"{",
        b"[" * 50_000,
        b'{"reason": NaN}',
        b"null",
        b"",
    ],
)
def test_what_is_no_proper_body_is_a_problem_that_the_document_knows(body: bytes) -> None:
    web = client(tokens=[ADA])
    documented = web.get("/v1/openapi.json", headers=AS_ADA).json()["paths"]["/v1/models/rollback"]["post"]["responses"]
    answer = web.post("/v1/models/rollback", content=body, headers={**AS_ADA, "content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert str(answer.status_code) in documented
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
