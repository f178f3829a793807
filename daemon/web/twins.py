"""`GET /v1/...`: what the pages show, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, FastAPI, Path
from starlette.exceptions import HTTPException

from daemon.detail.views import (
    EpisodeDetailView,
    EvidenceView,
    FamilyHistoryView,
    FamilyScoresView,
    HistoryView,
    QuarantinedView,
    VersionDetailView,
)
from daemon.errors import BadInputError, CorruptArtifact
from daemon.explain.views import FamilyExplanationView
from daemon.views import (
    AdapterView,
    DecisionView,
    EpisodeView,
    FamilyView,
    JobView,
    QueueView,
    SourceView,
    Status,
    VersionView,
)
from daemon.web import examples
from daemon.web.pages import Detail
from daemon.web.paging import HEADERS, Part, part

Found = TypeVar("Found")
Key = TypeVar("Key")
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Parted = Annotated[Part, Depends(part)]


class Twin(Protocol):
    """What these endpoints ask of the service."""

    @property
    def detail(self) -> Detail: ...

    def status(self) -> Status: ...


def add_twins(app: FastAPI, service: Twin) -> None:
    """Add the endpoints."""
    _add_snapshot(app, service)
    _add_parts(app, service)
    _add_details(app, service)


def _add_snapshot(app: FastAPI, service: Twin) -> None:
    @app.get("/v1/status", responses=_answers(examples.STATUS))
    def status() -> Status:
        """The whole snapshot."""
        return service.status()

    @app.get("/v1/history", responses=_answers(examples.HISTORY))
    def history() -> HistoryView:
        """All families together over time, and the versions that came into force."""
        found = service.detail.history()
        return HistoryView(mean=found.mean, reigns=found.reigns)


def _add_parts(app: FastAPI, service: Twin) -> None:
    @app.get("/v1/families", responses=_parts(examples.FAMILY))
    def families(asked: Parted) -> list[FamilyView]:
        """Every family with its state and figures."""
        return asked.of(service.status().families)

    @app.get("/v1/sources", responses=_parts(examples.SOURCE))
    def sources(asked: Parted) -> list[SourceView]:
        """Every real source with its state and figures."""
        return asked.of(service.status().real_sources)

    @app.get("/v1/versions", responses=_parts(examples.VERSION))
    def versions(asked: Parted) -> list[VersionView]:
        """The versions."""
        return asked.of(service.status().versions)

    @app.get("/v1/episodes", responses=_parts(examples.EPISODE))
    def episodes(asked: Parted) -> list[EpisodeView]:
        """The incidents."""
        return asked.of(service.status().episodes)

    @app.get("/v1/decisions", responses=_parts(examples.DECISION))
    def decisions(asked: Parted) -> list[DecisionView]:
        """What was decided on the versions, the newest first."""
        return asked.of(service.status().decisions)

    @app.get("/v1/queue", responses=_parts(examples.QUEUE))
    def queue(asked: Parted) -> list[QueueView]:
        """The work that waits."""
        return asked.of(service.status().queue)

    @app.get("/v1/adapters", responses=_parts(examples.ADAPTER))
    def adapters(asked: Parted) -> list[AdapterView]:
        """The adapters."""
        return asked.of(service.status().adapters)

    @app.get("/v1/jobs", responses=_parts(examples.JOB))
    def jobs(asked: Parted) -> list[JobView]:
        """The jobs."""
        return asked.of(service.status().jobs)

    @app.get("/v1/quarantine", responses=_parts(examples.QUARANTINED))
    def quarantine(asked: Parted) -> list[QuarantinedView]:
        """The samples that are set apart, with their reasons and what each delivery says of them."""
        found = service.detail.quarantine(asked.limit, asked.offset)
        asked.tell(found.total)
        return found.samples


def _add_details(app: FastAPI, service: Twin) -> None:
    @app.get("/v1/families/{name}", responses=_answers(examples.FAMILY, missing=True))
    def family(name: str) -> FamilyView:
        """One family."""
        return _family(service.status().families, name)

    @app.get("/v1/families/{name}/history", responses=_answers(examples.FAMILY_HISTORY, missing=True))
    def family_history(name: str) -> FamilyHistoryView:
        """A family's figures over time, by the champion of each time."""
        _family(service.status().families, name)
        return service.detail.family_history(name)

    @app.get("/v1/families/{name}/scores", responses=_answers(examples.FAMILY_SCORES, missing=True))
    def family_scores(name: str) -> FamilyScoresView:
        """How the champion scores a family's pictures beside the real ones, and the families that it resembles."""
        _family(service.status().families, name)
        return service.detail.scores(name)

    @app.get("/v1/families/{name}/evidence", responses=_answers(examples.EVIDENCE, missing=True))
    def family_evidence(name: str) -> EvidenceView:
        """The family's running test, vote by vote."""
        _family(service.status().families, name)
        found = service.detail.evidence(name)
        if found is None:
            raise HTTPException(404, "no test of that family runs against the champion")
        return found

    @app.get("/v1/families/{name}/explanation", responses=_answers(examples.EXPLANATION, missing=True))
    def family_explanation(name: str) -> FamilyExplanationView:
        """What sets a family apart."""
        _family(service.status().families, name)
        return _there(service.detail.explanation, name)

    @app.get("/v1/versions/{version}", responses=_answers(examples.VERSION_DETAIL, missing=True))
    def version_detail(version: str) -> VersionDetailView:
        """A version: the gate's questions, its card, what sets it apart from its parent."""
        return _there(service.detail.version, version)

    @app.get("/v1/episodes/{number}", responses=_answers(examples.EPISODE_DETAIL, missing=True))
    def episode_detail(number: Number) -> EpisodeDetailView:
        """An episode with its timeline."""
        return _there(service.detail.episode, number)


def _family(families: Sequence[FamilyView], name: str) -> FamilyView:
    for known in families:
        if known.name == name:
            return known
    raise HTTPException(404, "there is no family of that name")


def _there(find: Callable[[Key], Found], key: Key) -> Found:
    try:
        return find(key)
    except CorruptArtifact:
        raise HTTPException(500, "its files are damaged; `sidwatch verify --deep` says which") from None
    except BadInputError as error:
        raise HTTPException(404, str(error)) from None


def _answers(example: object, *, missing: bool = False) -> dict[int | str, dict[str, Any]]:
    more: dict[int | str, dict[str, Any]] = {404: examples.problem_answer(404)} if missing else {}
    return {200: {"content": {"application/json": {"example": example}}}, **more}


def _parts(example: object) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": [example]}}, "headers": HEADERS}}
