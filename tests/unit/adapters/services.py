"""Small servers on this machine that speak the protocols of the Hub, of its providers and of the Images API.

Their answers follow, field by field, stored copies (looked at on 2026-11-29) of

- https://huggingface.co/docs/hub/api (GET /api/models: query, `Link` header for the next page) and the sources of the
  client huggingface_hub (`list_models`, `ModelInfo`, `expand`, the relations of `base_model`);
- https://huggingface.co/docs/hub/rate-limits, in parts (429 with `RateLimit` and `RateLimit-Policy`);
- https://huggingface.co/docs/inference-providers/tasks/text-to-image (`inputs`, `parameters`; raw bytes come back);
- the sources of the client openai (request and response of `images.generate`, `error` with message, type, param, code).
  The reference page of the Images API itself was not at hand.

What the real services do beside that, no test here can know.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from feed_server import Answer, Site
from PIL import Image

JSON = {"Content-Type": "application/json"}
SHA = "0123456789abcdef0123456789abcdef01234567"


def model(name: str, created: str, **said: Any) -> dict[str, Any]:
    """A model as GET /api/models lists it with `expand`."""
    return {
        "_id": hashlib.sha256(name.encode()).hexdigest()[:24],
        "id": name,
        "createdAt": f"{created}T08:15:00.000Z",
        "downloads": 5000,
        "gated": False,
        "private": False,
        "disabled": False,
        "sha": hashlib.sha1(name.encode()).hexdigest(),  # what a commit looks like
        "tags": ["diffusers", "safetensors", "text-to-image", "license:apache-2.0"],
        "cardData": {"license": "apache-2.0"},
        **said,
    }


class Hub:
    """The listing of models: newest first, in pages."""

    def __init__(self, site: Site, models: list[dict[str, Any]], page: int = 3) -> None:
        self.site = site
        self.models = models
        self.page = page
        self.failures: list[Answer] = []  # given before anything else
        site.otherwise = self.answer

    def queries(self) -> list[dict[str, list[str]]]:
        """What each request for a listing asked for; the library asks for something else too."""
        asked = [urlsplit(path) for path in self.site.paths()]
        return [parse_qs(address.query) for address in asked if address.path == "/api/models"]

    def answer(self, handler: BaseHTTPRequestHandler) -> Answer:
        address = urlsplit(handler.path)
        if self.failures and address.path == "/api/models":
            return self.failures.pop(0)
        query = parse_qs(address.query)
        if address.path != "/api/models" or query.get("sort") != ["createdAt"]:
            return 400, JSON, b'{"error": "Invalid sort parameter"}'
        listed = sorted(self.models, key=lambda one: str(one["createdAt"]), reverse=True)
        start = int(query.get("cursor", ["0"])[0])
        shown = listed[start : start + self.page]
        headers = dict(JSON)
        if start + self.page < len(listed):
            rest = address.query.partition("&cursor=")[0]
            headers["Link"] = f'<{self.site.url(f"/api/models?{rest}&cursor={start + self.page}")}>; rel="next"'
        return 200, headers, json.dumps(shown).encode()


def limited(reset: int) -> Answer:
    """The Hub's answer to too many requests."""
    policy = '"fixed window";"api";q=500;w=300'
    return 429, {"RateLimit": f'"api";r=0;t={reset}', "RateLimit-Policy": policy, **JSON}, b'{"error": "Too many"}'


def picture(*said: object) -> bytes:
    """A small PNG that differs with what it is made of."""
    shade = hashlib.sha256(repr(said).encode()).digest()
    encoded = BytesIO()
    Image.frombytes("RGB", (64, 64), (shade * 384)[: 64 * 64 * 3]).save(encoded, "PNG")
    return encoded.getvalue()


def error(status: int, message: str, *, code: str | None = None, param: str | None = None, **headers: str) -> Answer:
    """An error of the Images API."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return (
        status,
        {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}},
        json.dumps(body).encode(),
    )


class ImagesApi:
    """POST /v1/images/generations."""

    def __init__(self, site: Site, respond: Callable[[dict[str, Any]], Answer | None] | None = None) -> None:
        self.site = site
        self.failures: list[Answer] = []  # given before any picture
        self.respond = respond
        site.answers["/v1/images/generations"] = self.answer

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of every request."""
        return [json.loads(body) for body in self.site.bodies]

    def answer(self, handler: BaseHTTPRequestHandler) -> Answer | None:
        body = self.asked[-1]
        if self.failures:
            return self.failures.pop(0)
        if self.respond is not None and (given := self.respond(body)) is not None:
            return given
        content = base64.b64encode(picture(body["model"], body["prompt"], body.get("seed"))).decode()
        return 200, JSON, json.dumps(images_answer({"b64_json": content})).encode()


def images_answer(*data: dict[str, Any]) -> dict[str, Any]:
    """The documented example of an answer, with these pictures."""
    return {
        "created": 1713833628,
        "data": list(data),
        "background": "opaque",
        "output_format": "png",
        "size": "1024x1024",
        "quality": "high",
        "usage": {
            "total_tokens": 100,
            "input_tokens": 50,
            "output_tokens": 50,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        },
    }


class Provider:
    """The provider hf-inference behind the Hub's router: the model's page, and POST /hf-inference/models/{model}."""

    def __init__(self, site: Site, *models: str) -> None:
        self.site = site
        self.models = models
        self.failures: list[Answer] = []
        site.otherwise = self.answer

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of every request for a picture."""
        return [json.loads(body) for body in self.site.bodies]

    def answer(self, handler: BaseHTTPRequestHandler) -> Answer:
        path = urlsplit(handler.path).path
        name = path.removeprefix("/api/models/").removeprefix("/hf-inference/models/")
        if name not in self.models:
            return 404, {"X-Error-Code": "RepoNotFound", **JSON}, b'{"error": "Repository not found"}'
        if handler.command == "GET":
            page = {"id": name, "pipeline_tag": "text-to-image", "tags": ["text-to-image"], "sha": SHA}
            page["inferenceProviderMapping"] = {  # type: ignore[assignment]
                "hf-inference": {"providerId": name, "status": "live", "task": "text-to-image"}
            }
            return 200, JSON, json.dumps(page).encode()
        if self.failures:
            return self.failures.pop(0)
        body = self.asked[-1]
        content = picture(name, body["inputs"], body["parameters"]["seed"])
        return 200, {"Content-Type": "image/png"}, content
