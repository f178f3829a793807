"""The OpenAPI document: what FastAPI derives, with the errors as they are, the tokens, and examples everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from daemon import __version__
from daemon.web import examples
from daemon.web.guard import INGEST_PATHS

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457); `detail` is one line for a person.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason": {"type": "string", "description": "Of a picture that is not taken: a word of the closed list"},
    },
}
_ALWAYS: Final = (401, 403, 422, 429, 500, 503)
_UPLOADS: Final = {"/v1/score": (408, 413, 415, 501), **dict.fromkeys(INGEST_PATHS, (408, 413, 415))}
_ANSWERS: Final[dict[str, dict[str, Any]]] = {"Done": examples.DONE, "Decided": examples.DECIDED}


def describe(app: FastAPI) -> None:
    """Make `app` serve this document."""
    app.openapi = _document(app)  # type: ignore[method-assign]


def _document(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title="sidwatch",
                version=__version__,
                description=(
                    "Judges pictures, and says how well it does on every family of image generators. Bearer tokens "
                    "have scopes: read (GET and scoring), ingest (bringing pictures in), operate (changing state)."
                ),
                routes=app.routes,
            )
            app.openapi_schema = _completed(found, app)
        return app.openapi_schema

    return document


def _completed(found: dict[str, Any], app: FastAPI) -> dict[str, Any]:
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    # FastAPI leaves out of an example what is null there, which the schema asks for.
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path in found["paths"]:
            for code, answer in route.responses.items():
                for kind, content in answer.get("content", {}).items():
                    if "example" not in content:
                        continue
                    for method in {*(route.methods or ())} & {"GET", "POST"}:
                        told = found["paths"][route.path][method.lower()]["responses"][str(code)]["content"]
                        told[kind]["example"] = content["example"]
    return found


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    scope = "read" if method == "get" or path == "/v1/score" else "ingest" if path in INGEST_PATHS else "operate"
    operation["security"] = [{"token": []}] if scope != "read" else [{}, {"token": []}]
    operation["x-scope"] = scope
    codes = [*_ALWAYS, *_UPLOADS.get(path, ()), *((400, 408, 409, 413) if scope == "operate" else ())]
    if "{" in path or path == "/v1/feedback":
        codes.append(404)
    answers = operation["responses"]
    for code in codes:
        answers[str(code)] = examples.problem_answer(code)
    for answer in answers.values():
        content = answer.get("content", {}).get("application/json", {})
        name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
        if "example" not in content and name in _ANSWERS:
            content["example"] = _ANSWERS[name]
