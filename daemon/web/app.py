"""The HTTP application: a factory, no state of its own; everything it shows is one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import SecretStr

from daemon.explain.views import ExplainedScoreView
from daemon.model import Candidate, Report
from daemon.settings import TokenSettings
from daemon.views import FeedbackView, PushView, ScoreView, Status
from daemon.web import examples, problems
from daemon.web.feedback import add_feedback
from daemon.web.guard import Guard, Operators, Tokens
from daemon.web.models import ModelService, add_models
from daemon.web.operate import OperatingService, add_operations
from daemon.web.pages import PageService, add_pages
from daemon.web.samples import MOST_OFFER, add_samples
from daemon.web.schema import describe
from daemon.web.twins import Twin, add_twins
from daemon.web.upload import FRAME, Uploads
from daemon.web.waiting import Places, Room, Wanted, while_wanted

STATIC = Path(__file__).parent / "static"
BEAT_LIMIT = 15.0  # seconds: the supervisor beats every one


class WebService(ModelService, PageService, OperatingService, Twin, Protocol):
    """What the application asks of the service; every method may be called from any thread."""

    simulated: bool  # pictures or clock are simulated: said wherever figures are shown

    def status(self) -> Status:
        """The snapshot; cheap, cached by the service. Raises TemporaryError while there is none."""

    def ready(self) -> list[str]:
        """Why the service is not ready; empty: it is."""

    def beat_age(self) -> float:
        """Seconds since the supervisor's last beat; must not block."""

    def score(self, content: bytes, wanted: Wanted) -> ScoreView:
        """Judge one picture. Raises ImageRejected, or TemporaryError without a champion or when it is not wanted."""

    def explain(self, content: bytes, wanted: Wanted) -> ExplainedScoreView:
        """Judge one picture and say why. Raises as `score`, and ConfigurationError."""

    def report(self, content: bytes | None, sha256: str, report: Report) -> FeedbackView:
        """Take in what a person says of a picture, or of a known one by its sha256.

        Raises ImageRejected, BadInputError, TemporaryError.
        """

    def push(self, offered: Candidate, url: str | None, key: str | None) -> PushView:
        """Take in one sample. Raises ImageRejected, BadInputError, TemporaryError."""

    def exposition(self) -> tuple[bytes, str]:
        """The metrics and their content type."""


def create_app(
    service: WebService,
    *,
    read_token: SecretStr | None = None,
    ingest_token: SecretStr | None = None,
    write_token: SecretStr | None = None,
    tokens: Sequence[TokenSettings] = (),
    requests_per_minute: int | None = None,
    hosts: frozenset[str] | None = None,
    pictures: bool = True,
    max_upload: int = 20 * 1024 * 1024,
    scores_at_once: int = 16,
    request_timeout: float = 30.0,
    beat_limit: float = BEAT_LIMIT,
) -> FastAPI:
    """Build the application.

    read_token: when set, everything but health and readiness asks for it. ingest_token: what brings something in asks
    for it; None: nothing may be. write_token: what changes state asks for it; None: nothing here does. tokens: more of
    them, each with its scopes. requests_per_minute: of one caller; None: no limit. hosts: names of this service
    (`daemon.web.hosts`); None: it answers under any. pictures: small copies of pictures are shown.
    max_upload: largest picture, bytes. scores_at_once: pictures that wait to be judged or are at work; as
    many of the largest size may be in memory. request_timeout: seconds for a request's body.
    beat_limit: age of the supervisor's beat, seconds, from which the service counts as unhealthy.
    """
    # The interactive documentation would load scripts from elsewhere; the schema itself is served.
    app = FastAPI(title="sidwatch", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
    known = Tokens(read_token, ingest_token, write_token, tokens)
    app.add_middleware(
        Guard,
        tokens=known,
        requests_per_minute=requests_per_minute,
        hosts=hosts,
        request_timeout=request_timeout,
    )
    problems.register(app)
    places = Places(scores_at_once)
    largest = max(max_upload, MOST_OFFER) + FRAME
    room = Room(scores_at_once * largest, max(scores_at_once // 2, 1) * largest)
    uploads = Uploads(room, max_upload, request_timeout)
    _add_probes(app, service, beat_limit)
    add_twins(app, service)
    _add_scoring(app, service, places, uploads)
    add_feedback(app, service, uploads)
    add_samples(app, service, uploads)
    add_models(app, service, Operators(known))
    add_operations(app, service, Operators(known))
    add_pages(app, service, places, uploads, pictures)
    describe(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _add_probes(app: FastAPI, service: WebService, beat_limit: float) -> None:
    def metrics() -> Response:
        body, content_type = service.exposition()
        return Response(body, headers={"Content-Type": content_type})

    async def healthy() -> JSONResponse:
        # On the event loop itself: a full thread pool must not look like a dead supervisor.
        age = service.beat_age()
        fresh = age < beat_limit
        return JSONResponse({"healthy": fresh, "beat_age_seconds": round(age, 3)}, 200 if fresh else 503)

    def ready() -> JSONResponse:
        reasons = service.ready()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    for path, probe in (
        ("/metrics", metrics),
        ("/-/healthy", healthy),
        ("/healthz", healthy),
        ("/-/ready", ready),
        ("/readyz", ready),
    ):
        app.add_api_route(path, probe, methods=["GET", "HEAD"], include_in_schema=False)


def _add_scoring(app: FastAPI, service: WebService, places: Places, uploads: Uploads) -> None:
    @app.post("/v1/score", openapi_extra={"requestBody": _SCORE_BODY}, responses=_SCORE_ANSWERS)
    async def score(request: Request, explain: bool = False) -> ExplainedScoreView | ScoreView:
        """Judge one picture: the multipart field `image`, or a raw body of type image/*; explain=true says why."""
        async with uploads.picture(request) as content, places.one():
            return await while_wanted(request, service.explain if explain else service.score, content)


_SCORE_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": examples.SCORE}}}}
_BINARY = {"type": "string", "format": "binary"}
_SCORE_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": {"type": "object", "properties": {"image": _BINARY}, "required": ["image"]}},
        "image/*": {"schema": _BINARY},
    },
}
