"""The running service as the page, the API and the metrics see it."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Literal, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from daemon.by_hand import ByHand
from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.detail.looker import Looker
from daemon.encoders.gathering import always
from daemon.errors import CorruptArtifact, ImageRejected, SidwatchError, TemporaryError
from daemon.evaluate.looks import Looking, Looks
from daemon.explain.making import ExplainerCache
from daemon.explain.views import ExplainedScoreView
from daemon.intake.decode import check_size
from daemon.intake.inspecting import limits_of
from daemon.intake.pushing import Fetch, push_sample
from daemon.intake.reporting import report_known, report_picture, view_of
from daemon.model import Candidate, Report
from daemon.ports import EncoderService
from daemon.promote.deciding import approve, reject_by_hand
from daemon.registry.consumer import Document, champion_document, file_of
from daemon.registry.naming import version_named
from daemon.runs import tick
from daemon.status.snapshot import Sources, snapshot
from daemon.views import FeedbackView, PushView, ScoreView, Status
from daemon.web.models import Decided

log = structlog.get_logger("sidwatch.service")

LOOP = "supervisor"  # the one loop that must always turn
_REPORTER = "api"  # in the audit


def no_fetching(url: str) -> bytes:
    """For a service that nobody can push to."""
    raise TemporaryError("nothing is fetched here; send the picture itself")


State = Literal["starting", "ready", "draining", "stopped"]


class Telemetry(Protocol):
    """What the service needs of `daemon.telemetry` beyond counting."""

    def restore(self, status: Status, runs: Mapping[tuple[str, str], int], looks: Looks) -> None: ...
    def publish(self, status: Status, looks: Looks) -> None: ...
    def beat(self, loop: str, at: datetime) -> None: ...
    def store_space(self, size_bytes: int, free_bytes: int) -> None: ...
    def exposition(self) -> tuple[bytes, str]: ...


@dataclass
class Service:
    """Implements `daemon.web.WebService` on a context."""

    context: Context
    telemetry: Telemetry
    simulated: bool
    fetch: Fetch = no_fetching
    state: State = "starting"
    _status: Status | None = None
    _beat: float = field(default_factory=time.monotonic)
    _lock: Lock = field(default_factory=Lock)
    _explainers: ExplainerCache = field(default_factory=ExplainerCache)
    _looking: Looking = field(default_factory=Looking)
    _looks: Looks = field(default_factory=Looks)
    detail: Looker = field(init=False)
    by_hand: ByHand = field(init=False)

    def __post_init__(self) -> None:
        self.detail = Looker(self.context, self.status)
        self.by_hand = ByHand(self.context, self._refresh_after)

    def refresh(self, *, restore: bool = False) -> Status:
        """Read the snapshot anew from the store and publish it; called after every run."""
        context = self.context
        sources = Sources(
            context.settings,
            context.samples,
            context.registry,
            context.runs,
            context.encoder.fingerprint,
            self.simulated,
            context.migrations,
        )
        status = snapshot(sources, self.state, context.clock.now())
        with self._lock:
            self._status = status
            if restore:
                self._looks = self._looking.at(context)
                self.telemetry.restore(status, context.runs.counts(), self._looks)
            else:
                self.telemetry.publish(status, self._looks)
        looks = self._looking.at(context)
        if looks != self._looks:  # after the rest: it takes longer, and no alarm waits for it
            self._looks = looks
            self.telemetry.publish(status, looks)
        directory = context.settings.store.directory
        self.telemetry.store_space(size_of(directory), shutil.disk_usage(directory).free)
        return status

    def _refresh_after(self) -> None:
        """As `refresh`, once something was written: what was done stays done, also when not all can be shown."""
        try:
            self.refresh()
        except SidwatchError as error:
            log.error("the snapshot cannot be made anew", error=str(error))

    def beat(self) -> None:
        """The supervisor's loop is alive."""
        self._beat = time.monotonic()
        self.telemetry.beat(LOOP, datetime.now(UTC))  # the machine's time, as Prometheus reads it, simulated or not

    def beat_age(self) -> float:
        return time.monotonic() - self._beat

    def status(self) -> Status:
        with self._lock:
            status = self._status
        if status is None:
            raise TemporaryError("the service is starting; try again in a moment")
        return status.model_copy(
            update={"service": status.service.model_copy(update={"state": self.state, "now": self.context.clock.now()})}
        )

    def ready(self) -> list[str]:
        reasons = [] if self.state == "ready" else [f"the service is {self.state}"]
        try:
            if self.context.champion.get() is None:
                reasons.append("there is no champion yet: it needs families and real sources to learn from")
        except CorruptArtifact as error:
            reasons.append(f"the champion cannot be used: {error}")
        if not os.access(self.context.settings.store.directory, os.W_OK):
            reasons.append(f"{self.context.settings.store.directory} cannot be written")
        return reasons

    def exposition(self) -> tuple[bytes, str]:
        return self.telemetry.exposition()

    def score(self, content: bytes, wanted: Callable[[], bool] = always) -> ScoreView:
        champion, vector = self._encoded(content, wanted)
        return _judged(champion, vector, content)

    def explain(self, content: bytes, wanted: Callable[[], bool] = always) -> ExplainedScoreView:
        champion, vector = self._encoded(content, wanted)
        explanation = self._explainers.get(self.context, champion).explain(vector[0])
        judged = _judged(champion, vector, content)
        return ExplainedScoreView(**judged.model_dump(), explanation=explanation)

    def report(self, content: bytes | None, sha256: str, report: Report) -> FeedbackView:
        context = self.context
        if content is None:
            done = report_known(context, sha256, report, _REPORTER)
        else:
            check_size(content, limits_of(context.settings.intake))
            done = report_picture(context, content, report, _REPORTER)
        if done.outcome == "rejected":
            raise ImageRejected(str(done.reason), done.detail)
        if not done.repeated:
            tick(context, "cycle")
        return view_of(report, done)

    def push(self, offered: Candidate, url: str | None, key: str | None) -> PushView:
        done = push_sample(self.context, offered, url, key, self.fetch)
        if done.outcome == "rejected":
            raise ImageRejected(str(done.reason), done.detail)
        return PushView(
            receipt=done.receipt,
            sha256=done.sha256,
            outcome=done.outcome,
            reason=done.reason,
            detail=done.detail,
            repeated=done.repeated,
        )

    def champion_document(self) -> Document:
        with _unusable():
            champion = self.context.champion.get()
        if champion is None:
            raise TemporaryError("there is no champion yet; try again later")
        return champion_document(champion)

    def model_file(self, version: str, name: str) -> Document | None:
        registry = self.context.registry
        record = next((one for one in registry.versions() if one.id == version and one.state == "promoted"), None)
        if record is None:
            return None
        with _unusable():
            return file_of(load_version(registry, record), registry, name)

    def decide(self, version: str, approved: bool, reason: str, actor: str = "api") -> Decided:
        act = approve if approved else reject_by_hand
        with _unusable():
            row = act(self.context, version_named(self.context.registry, version).id, actor, reason)
        tick(self.context, "cycle")
        self._refresh_after()
        champion = self.context.registry.champion()
        assert champion is not None and row.version is not None  # a version waits for a champion's place
        return Decided(version=row.version, champion=champion.id, audit=row.number, reason=row.reason)

    def _encoded(self, content: bytes, wanted: Callable[[], bool]) -> tuple[LoadedVersion, NDArray[np.float32]]:
        check_size(content, limits_of(self.context.settings.intake))
        with ExitStack() as stack:
            champion, encoder = self._in_force(stack)
            return champion, encoder.encode_now(content, wanted=wanted)[None, :]

    def _in_force(self, stack: ExitStack) -> tuple[LoadedVersion, EncoderService]:
        """The champion with its encoder; while that one still starts, after a rollback, the version before it."""
        context = self.context
        for _ in range(3):  # the champion may change, and the encoder of the old one end, between two lines here
            champion, before = context.champion.get(), context.registry.previous()
            if champion is None:
                raise TemporaryError("there is no champion yet, so nothing can be scored")
            wanted = [champion.record.fingerprint, *([before.fingerprint] if before else [])]
            encoder = stack.enter_context(context.encoders.lent(*wanted))
            if encoder is not None and encoder.fingerprint == champion.record.fingerprint:
                return champion, encoder
            if encoder is not None and before is not None:
                return load_version(context.registry, before), encoder
        raise TemporaryError("the champion's encoder is starting; try again in a moment")


@contextmanager
def _unusable() -> Iterator[None]:
    """A damaged file is no fault of the caller's, who is told no path."""
    try:
        yield
    except CorruptArtifact as error:
        log.error("a version that was asked for cannot be used", error=str(error))
        raise TemporaryError("this version's files are damaged; the service's log says more") from error


def _judged(champion: LoadedVersion, vector: NDArray[np.float32], content: bytes) -> ScoreView:
    artifact = champion.artifact
    logit = float(artifact.head.scores(vector)[0])
    threshold = champion.threshold("raw")
    fired = artifact.head.fired(vector)[0]
    verdict = artifact.verdict(logit, "raw", fired.outside)
    return ScoreView(
        sha256=hashlib.sha256(content).hexdigest(),
        probability=float(artifact.calibration.probability(artifact.head.scores(vector))[0]),
        logit=logit,
        threshold=threshold if math.isfinite(threshold) else None,
        verdict=verdict,
        outside=fired.outside,
        family=champion.present(fired.family.name) if verdict == "synthetic" and fired.family else None,
        nearest_real_source=fired.source.name if fired.source else None,
        version=champion.record.id,
    )


def size_of(directory: Path) -> int:
    """Bytes of all files below a directory; one that vanishes meanwhile counts as nothing."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total
