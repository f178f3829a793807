"""`POST /v1/samples`: what may be sent, and what the service is given."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from daemon.errors import BadInputError, ImageRejected, TemporaryError
from daemon.model import Candidate
from tests.unit.web.service import FakeService
from tests.unit.web.test_feedback import BEARER, SHA, client


def test_a_picture_in_a_form_with_its_claims() -> None:
    service = FakeService()
    answer = client(service).post(
        "/v1/samples",
        files={"image": b"one"},
        data={
            "label": "synthetic",
            "family": "flux_3",
            "group": "p7",
            "caption": "a cat",
            "generation": '{"seed": 7, "turbo": true, "model": "x"}',
            "licence": "CC0-1.0",
            "consent": "made by us",
            "released": "2031-02",
            "scores": '{"rival": 0.75}',
        },
        headers={**BEARER, "idempotency-key": "7"},
    )
    assert (answer.status_code, answer.json()["outcome"], answer.json()["receipt"]) == (202, "stored", 1)
    expected = Candidate(
        "",
        content=b"one",
        label="synthetic",
        family="flux_3",
        group="p7",
        caption="a cat",
        generation={"seed": 7, "turbo": True, "model": "x"},
        licence="CC0-1.0",
        consent="made by us",
        released="2031-02",
        outside_scores=(("rival", 0.75),),
    )
    assert service.pushes == [(expected, None, "7")]
    assert type(service.pushes[0][0].generation["turbo"]) is bool


def test_an_address_a_vector_and_scores_as_json() -> None:
    service = FakeService()
    web = client(service)
    for body in (
        {"url": "https://pictures.example/a.jpg", "label": "real"},
        {"sha256": SHA, "vector": [0.5, -1, 2], "vector_fingerprint": "f" * 64, "label": "real"},
        {"sha256": SHA, "scores": {"b": 1, "a.2": -0.5}},
    ):
        assert web.post("/v1/samples", json=body, headers=BEARER).status_code == 202
    (by_url, url, _), (by_vector, _, _), (scored, _, _) = service.pushes
    assert (url, by_url.content, by_url.label) == ("https://pictures.example/a.jpg", None, "real")
    assert by_vector.vector is not None and by_vector.vector.dtype == np.float16
    assert by_vector.vector.tolist() == [0.5, -1.0, 2.0]
    assert scored.outside_scores == (("a.2", -0.5), ("b", 1.0))


VECTOR = {"sha256": SHA, "vector": [1.0, 2.0], "vector_fingerprint": "f"}


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ({"json": {"label": "real"}}, 422, "send the picture"),
        ({"json": {"sha256": SHA, "label": "real"}}, 422, "send the picture"),
        ({"json": {"scores": {"a": 1}}}, 422, "send the picture"),
        ({"json": {**VECTOR, "url": "https://x"}}, 422, "send one of"),
        ({"files": {"image": b"x"}, "data": {"url": "https://x"}}, 422, "send one of"),
        ({"json": {"url": "https://x", "who": "me"}}, 422, "who"),
        ({"json": {"sha256": "abc", "scores": {"a": 1}}}, 422, "sha256"),
        ({"json": {"sha256": SHA, "scores": {"A b": 1}}}, 422, "scores"),
        ({"content": json.dumps({"sha256": SHA, "scores": {"a": float("nan")}}).encode()}, 422, "scores"),
        ({"content": json.dumps({**VECTOR, "vector": [1.0, float("inf")]}).encode()}, 422, "vector"),
        ({"json": {**VECTOR, "vector": [1.0]}}, 422, "vector"),
        ({"json": {"url": "https://x", "generation": {"a": [1]}}}, 422, "generation"),
        ({"json": ["x"]}, 422, "not a JSON object"),
        ({"content": b"x" * 1_100_000}, 413, "larger"),
        ({"files": {"image": b"x"}, "data": {"generation": "{"}}, 422, "no JSON object"),
        ({"files": {"image": b"x" * 1001}}, 413, "larger"),
        ({"files": {"image": b""}}, 422, "no bytes"),
        ({"content": b"x", "headers": {"content-type": "image/png"}}, 415, "multipart form"),
    ],
)
def test_what_is_no_sample_is_a_problem(body: dict[str, Any], code: int, told: str) -> None:
    service = FakeService()
    kind = {"content-type": "application/json"} if "content" in body else {}
    headers = {**BEARER, **kind, **body.pop("headers", {})}
    answer = client(service).post("/v1/samples", headers=headers, **body)
    assert (answer.status_code, answer.headers["content-type"]) == (code, "application/problem+json")
    assert told in answer.json()["detail"]
    assert service.pushes == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(ImageRejected("corrupt", "x"), 422), (BadInputError("this key"), 422), (TemporaryError("later"), 503)],
)
def test_what_the_service_refuses_is_told(error: Exception, code: int) -> None:
    service = FakeService()
    service.verdict = error
    answer = client(service).post("/v1/samples", json={"url": "https://x"}, headers=BEARER)
    assert (answer.status_code, answer.json()["detail"]) == (code, str(error))


def test_it_asks_for_the_ingest_token() -> None:
    service = FakeService()
    body = {"url": "https://x"}
    assert client(service).post("/v1/samples", json=body).status_code == 401
    assert client(service).post("/v1/samples", json=body, headers={"authorization": "Bearer no"}).status_code == 401
    assert client(service, ingest=None).post("/v1/samples", json=body, headers=BEARER).status_code == 403
    assert service.pushes == []
