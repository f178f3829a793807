"""A service that answers what the test tells it to."""

from __future__ import annotations

from daemon.errors import SidwatchError, TemporaryError
from daemon.explain.views import ExplainedScoreView, ExplanationView
from daemon.model import Candidate, Report
from daemon.registry.consumer import Document
from daemon.views import FeedbackView, PushView, ScoreView, Status
from daemon.web.models import Decided
from tests.unit.web.snapshot import score, status


class FakeService:
    def __init__(self, snapshot: Status | SidwatchError | None = None) -> None:
        self.simulated = False
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

    def score(self, content: bytes) -> ScoreView:
        self.seen.append(content)
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict

    def explain(self, content: bytes) -> ExplainedScoreView:
        judged = self.score(content)
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

    def decide(self, version: str, approved: bool, reason: str) -> Decided:
        if self.refusal is not None:
            raise self.refusal
        self.decided.append((version, approved, reason))
        return Decided(version=version, champion=version if approved else "v0001-aaaaaaaa", audit=7, reason=reason)

    def exposition(self) -> tuple[bytes, str]:
        return b"sidwatch_up 1\n", "text/plain; version=0.0.4; charset=utf-8"
