"""A service that answers what the test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from daemon.by_hand import Done
from daemon.detail.history import History
from daemon.detail.views import (
    EpisodeDetailView,
    EvidenceView,
    FamilyHistoryView,
    FamilyScoresView,
    PointView,
    QuarantinedView,
    QuarantineView,
    VersionDetailView,
)
from daemon.errors import BadInputError, CorruptArtifact, SidwatchError, TemporaryError
from daemon.explain.views import ExplainedScoreView, ExplanationView, FamilyExplanationView
from daemon.model import Candidate, Label, Report
from daemon.registry.consumer import Document
from daemon.views import FeedbackView, PushView, ScoreView, Status
from daemon.web import examples
from daemon.web.models import Decided
from tests.unit.web.snapshot import score, status


class FakeDetail:
    """Answers with the examples of the OpenAPI document; what is not there it says as the real one does."""

    def __init__(self) -> None:
        self.thumbnails: dict[str, bytes] = {}
        self.set_apart: list[QuarantinedView] = []
        self.past = History([], [])
        self.points: dict[str, list[PointView]] = {}

    def history(self) -> History:
        return self.past

    def recent(self, families: Sequence[str], points: int) -> dict[str, list[float]]:
        found = {name: [one.ap for one in self.points.get(name, []) if one.ap is not None] for name in families}
        return {name: aps[-points:] for name, aps in found.items() if aps}

    def family_history(self, family: str) -> FamilyHistoryView:
        return FamilyHistoryView(family=family, points=self.points.get(family, []), reigns=self.past.reigns)

    def scores(self, family: str) -> FamilyScoresView:
        return FamilyScoresView.model_validate({**examples.FAMILY_SCORES, "family": family})

    def evidence(self, family: str) -> EvidenceView | None:
        return EvidenceView.model_validate({**examples.EVIDENCE, "family": family})

    def explanation(self, family: str) -> FamilyExplanationView:
        return FamilyExplanationView.model_validate({**examples.EXPLANATION, "family": family})

    def version(self, version: str) -> VersionDetailView:
        if version == "v0009-damaged0":
            raise CorruptArtifact("/secret/path: its digest differs")
        if version != "v0003-9c41d2aa":
            raise BadInputError(f"there is no version {version}")
        return VersionDetailView.model_validate(examples.VERSION_DETAIL)

    def episode(self, number: int) -> EpisodeDetailView:
        if number != 3:
            raise BadInputError(f"there is no episode {number}")
        return EpisodeDetailView.model_validate(examples.EPISODE_DETAIL)

    def quarantine(self, limit: int, offset: int) -> QuarantineView:
        return QuarantineView(samples=self.set_apart[offset : offset + limit], total=len(self.set_apart))

    def thumbnail(self, sha256: str) -> bytes | None:
        return self.thumbnails.get(sha256)


class FakeHand:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.refusal: SidwatchError | None = None

    def _done(self, *asked: object) -> Done:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(asked)
        return Done(text="done")

    def acknowledge(self, episode: int, actor: str, reason: str) -> Done:
        return self._done("acknowledge", episode, actor, reason)

    def run_job(self, job: str, actor: str, reason: str) -> Done:
        return self._done("run_job", job, actor, reason)

    def pause_job(self, job: str, length: timedelta | None, actor: str, reason: str) -> Done:
        return self._done("pause_job", job, length, actor, reason)

    def resume_job(self, job: str, actor: str, reason: str) -> Done:
        return self._done("resume_job", job, actor, reason)

    def snooze(self, episode: int, length: timedelta, actor: str, reason: str) -> Done:
        return self._done("snooze", episode, length, actor, reason)

    def close(self, episode: int, actor: str, reason: str) -> Done:
        return self._done("close", episode, actor, reason)

    def release(self, sha256: str, actor: str, reason: str) -> Done:
        return self._done("release", sha256, actor, reason)

    def confirm(self, sha256: str, label: Label, family: str | None, actor: str, reason: str) -> Done:
        return self._done("confirm", sha256, label, family, actor, reason)

    def discard(self, sha256: str, actor: str, reason: str) -> Done:
        return self._done("discard", sha256, actor, reason)

    def roll_back(self, actor: str, reason: str) -> Done:
        return self._done("roll_back", actor, reason)


class FakeService:
    def __init__(self, snapshot: Status | SidwatchError | None = None) -> None:
        self.simulated = False
        self.detail = FakeDetail()
        self.by_hand = FakeHand()
        self.snapshot = snapshot if snapshot is not None else status()
        self.reasons: list[str] = []
        self.age = 0.2
        self.verdict: ScoreView | Exception = score()
        self.seen: list[bytes] = []
        self.reports: list[tuple[bytes | None, str, Report]] = []
        self.pushes: list[tuple[Candidate, str | None, str | None]] = []
        self.decided: list[tuple[str, bool, str]] = []
        self.refusal: SidwatchError | None = None
        self.champion: bytes | None = b'{"version":"v0001-aaaaaaaa"}'

    def status(self) -> Status:
        if isinstance(self.snapshot, SidwatchError):
            raise self.snapshot
        return self.snapshot

    def ready(self) -> list[str]:
        return self.reasons

    def beat_age(self) -> float:
        return self.age

    def score(self, content: bytes, wanted: Callable[[], bool]) -> ScoreView:
        self.seen.append(content)
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict

    def explain(self, content: bytes, wanted: Callable[[], bool]) -> ExplainedScoreView:
        judged = self.score(content, wanted)
        why = ExplanationView(
            method="integrated_gradients",
            baseline=0.0,
            reference="",
            contributions=[],
            remainder=judged.logit,
            explained=None,
            notes=[],
        )
        return ExplainedScoreView(**judged.model_dump(), explanation=why)

    def report(self, content: bytes | None, sha256: str, report: Report) -> FeedbackView:
        self.reports.append((content, sha256, report))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return FeedbackView(
            sha256=sha256,
            label=report.label,
            family=report.family,
            outcome="stored",
            reason=None,
            detail="",
            repeated=False,
        )

    def push(self, offered: Candidate, url: str | None, key: str | None) -> PushView:
        self.pushes.append((offered, url, key))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        sha256 = offered.sha256 or "b" * 64
        return PushView(receipt=1, sha256=sha256, outcome="stored", reason=None, detail="", repeated=False)

    def champion_document(self) -> Document:
        if self.champion is None:
            raise TemporaryError("there is no champion yet")
        return Document(self.champion, "application/json")

    def model_file(self, version: str, name: str) -> Document | None:
        return Document(name.encode(), "application/octet-stream") if version == "v0001-aaaaaaaa" else None

    def decide(self, version: str, approved: bool, reason: str, actor: str) -> Decided:
        if self.refusal is not None:
            raise self.refusal
        self.decided.append((version, approved, reason))
        return Decided(version=version, champion=version if approved else "v0001-aaaaaaaa", audit=7, reason=reason)

    def exposition(self) -> tuple[bytes, str]:
        return b"sidwatch_up 1\n", "text/plain; version=0.0.4; charset=utf-8"
