"""The pages' addresses, and the fragments that they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from daemon.detail.history import History
from daemon.detail.views import (
    EpisodeDetailView,
    EvidenceView,
    FamilyHistoryView,
    FamilyScoresView,
    QuarantineView,
    VersionDetailView,
)
from daemon.errors import BadInputError, CorruptArtifact, SidwatchError, TemporaryError
from daemon.explain.views import ExplainedScoreView, FamilyExplanationView
from daemon.views import FamilyView, Status
from daemon.web import page
from daemon.web.page import Column, Frame, Wanted
from daemon.web.plots import evidence_plot, histogram_plot
from daemon.web.problems import RETRY_SECONDS
from daemon.web.upload import Uploads
from daemon.web.waiting import Places, while_wanted

Found = TypeVar("Found")

QUARANTINE_ROWS = 20


class Detail(Protocol):
    """What the pages ask beyond the snapshot; see `daemon.detail.looker.Looker`."""

    def history(self) -> History: ...
    def recent(self, families: Sequence[str], points: int) -> Mapping[str, Sequence[float]]: ...
    def family_history(self, family: str) -> FamilyHistoryView: ...
    def scores(self, family: str) -> FamilyScoresView: ...
    def evidence(self, family: str) -> EvidenceView | None: ...
    def explanation(self, family: str) -> FamilyExplanationView: ...
    def version(self, version: str) -> VersionDetailView: ...
    def episode(self, number: int) -> EpisodeDetailView: ...
    def quarantine(self, limit: int, offset: int) -> QuarantineView: ...
    def thumbnail(self, sha256: str) -> bytes | None: ...


class PageService(Protocol):
    """What the pages ask of the service."""

    simulated: bool

    @property
    def detail(self) -> Detail: ...

    def status(self) -> Status: ...
    def explain(self, content: bytes, wanted: Callable[[], bool]) -> ExplainedScoreView: ...


def add_pages(app: FastAPI, service: PageService, places: Places, uploads: Uploads, pictures: bool) -> None:
    """Add them. places: pictures that may be judged at a time."""

    def shown(make: Callable[[Frame], str]) -> HTMLResponse:
        try:
            status = service.status()
        except TemporaryError as error:
            return HTMLResponse(page.waiting(str(error)), 503, {"Retry-After": RETRY_SECONDS})
        return HTMLResponse(make(Frame(status, service.simulated)))

    def add(path: str, endpoint: Callable[..., Any]) -> None:
        app.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_class=HTMLResponse, include_in_schema=False)

    def overview(
        sort: Column = "state",
        order: Literal["asc", "desc"] = "asc",
        q: Annotated[str, Query(max_length=100)] = "",
        state: Annotated[str, Query(max_length=20)] = "",
        page_: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
    ) -> HTMLResponse:
        wanted = Wanted(sort, order == "desc", q.strip(), state, page_)
        detail = service.detail
        return shown(lambda frame: page.overview(frame, detail.history(), detail.recent, wanted))

    def family(name: str) -> HTMLResponse:
        def make(frame: Frame) -> str:
            return page.family(frame, _named(frame.status, name), service.detail.family_history(name))

        return shown(make)

    def versions() -> HTMLResponse:
        return shown(page.versions)

    def version(name: str) -> HTMLResponse:
        return shown(lambda frame: page.version(frame, _there(lambda: service.detail.version(name))))

    def episodes() -> HTMLResponse:
        return shown(page.episodes)

    def episode(number: int) -> HTMLResponse:
        return shown(lambda frame: page.episode(frame, _there(lambda: service.detail.episode(number))))

    def intake(page_: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1) -> HTMLResponse:
        def make(frame: Frame) -> str:
            found = service.detail.quarantine(QUARANTINE_ROWS, (page_ - 1) * QUARANTINE_ROWS)
            return page.intake(frame, found, page_, QUARANTINE_ROWS, pictures)

        return shown(make)

    def try_it() -> HTMLResponse:
        return shown(page.try_it)

    for path, endpoint in (
        ("/", overview),
        ("/families/{name:path}", family),
        ("/versions", versions),
        ("/versions/{name:path}", version),
        ("/episodes", episodes),
        ("/episodes/{number:int}", episode),
        ("/intake", intake),
        ("/try", try_it),
    ):
        add(path, endpoint)
    _add_fragments(add, service)

    @app.get("/pictures/{sha256}", include_in_schema=False)
    def picture(sha256: str) -> Response:
        found = service.detail.thumbnail(sha256) if len(sha256) == 64 else None
        if found is None:
            raise HTTPException(404, "there is no such picture, or none are shown (http.pictures)")
        return Response(found, media_type="image/jpeg")

    @app.post("/try", response_class=HTMLResponse, include_in_schema=False)
    async def judge(request: Request) -> HTMLResponse:
        try:
            async with uploads.picture(request) as content, places.one():
                return HTMLResponse(page.judged(await while_wanted(request, service.explain, content)))
        except SidwatchError as error:
            return _failed(str(error), 503 if isinstance(error, TemporaryError) else 422)
        except HTTPException as error:
            return _failed(str(error.detail), error.status_code)


def _add_fragments(add: Callable[[str, Callable[..., Any]], None], service: PageService) -> None:
    def scores(name: str) -> HTMLResponse:
        def make() -> str:
            view = service.detail.scores(name)
            plot = histogram_plot(view.histogram, name, view.threshold) if view.histogram else None
            return page.render_part("scores.html", view=view, plot_=plot)

        return _fragment(make)

    def evidence(name: str) -> HTMLResponse:
        def make() -> str:
            view = service.detail.evidence(name)
            return page.render_part("evidence.html", view=view, plot_=evidence_plot(view) if view else None)

        return _fragment(make)

    def explanation(name: str) -> HTMLResponse:
        return _fragment(lambda: page.render_part("explanation.html", view=service.detail.explanation(name), shown=8))

    add("/fragments/scores/{name:path}", scores)
    add("/fragments/evidence/{name:path}", evidence)
    add("/fragments/explanation/{name:path}", explanation)


def _fragment(make: Callable[[], str]) -> HTMLResponse:
    try:
        return HTMLResponse(make())
    except CorruptArtifact:
        return _failed("this version's files are damaged; the service's log says more", 500)
    except BadInputError as error:
        return _failed(str(error), 404)
    except SidwatchError as error:
        return _failed(str(error), 503)


def _failed(text: str, status: int) -> HTMLResponse:
    return HTMLResponse(page.render_part("failed.html", text=text), status)


def _named(status: Status, name: str) -> FamilyView:
    for known in status.families:
        if known.name == name:
            return known
    raise HTTPException(404, "there is no family of that name")


def _there(find: Callable[[], Found]) -> Found:
    try:
        return find()
    except CorruptArtifact:
        raise HTTPException(500, "its files are damaged; `sidwatch verify --deep` says which") from None
    except BadInputError as error:
        raise HTTPException(404, str(error)) from None
