"""The looker: answers what the page and the API ask in detail, and keeps an answer until the store says otherwise."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, TypeVar, cast

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.detail.evidence import evidence_of
from daemon.detail.history import History, history_of, points_of, recent_of, reigns_of, versions_of
from daemon.detail.quarantined import view_of
from daemon.detail.scores import PROFILE, ScoreSheet, family_scores, make_sheet
from daemon.detail.thumbnails import Thumbnails
from daemon.detail.versions import version_detail
from daemon.detail.views import (
    EntryView,
    EpisodeDetailView,
    EvidenceView,
    FamilyHistoryView,
    FamilyScoresView,
    QuarantineView,
    TestView,
    VersionDetailView,
)
from daemon.drift.watch import look
from daemon.episodes.timeline import timeline
from daemon.errors import NotFoundError, TemporaryError
from daemon.explain.family import explain_family
from daemon.explain.views import FamilyExplanationView
from daemon.figures import HELD_OUT
from daemon.model import Subject
from daemon.registry.naming import version_named
from daemon.status.episodes import episode_view
from daemon.views import Status

HISTORY = timedelta(days=180)  # how far back figures over time are shown
_KEPT = 64  # answers about families

Answer = TypeVar("Answer")


class Looker:
    """Reads only; safe in any thread. Work on one kind of answer is done by one thread at a time."""

    def __init__(self, context: Context, status: Callable[[], Status]) -> None:
        self._context = context
        self._status = status
        self._thumbnails = Thumbnails(context)
        self._kept: OrderedDict[Hashable, tuple[Hashable, Any]] = OrderedDict()
        self._guard = Lock()  # of `_kept`
        self._working = Lock()  # what reads vectors does so one after the other: memory

    def history(self) -> History:
        """Figures over time of all families together."""
        return self._remember("history", self._make_history)

    def recent(self, families: Sequence[str], points: int) -> Mapping[str, Sequence[float]]:
        """The newest APs of some families, oldest first, for small lines; a family without any is left out."""
        history = self.history()
        if not history.mean:
            return {}
        since = history.mean[-points:][0].at
        names = tuple(families)

        def make() -> dict[str, list[float]]:
            versions = versions_of(history.reigns)
            figures = self._context.samples.past_figures(HELD_OUT, PROFILE, since, versions=versions, families=names)
            return recent_of(figures, history.reigns, points)

        return self._remember(("recent", names, points), make)

    def family_history(self, family: str) -> FamilyHistoryView:
        """Figures over time of one family. Raises BadInputError."""
        self._check(family)

        def make() -> FamilyHistoryView:
            reigns = self.history().reigns
            figures = self._context.samples.past_figures(
                HELD_OUT, PROFILE, self._since(), versions=versions_of(reigns), families=[family]
            )
            return FamilyHistoryView(family=family, points=points_of(figures, reigns), reigns=reigns)

        return self._remember(("history", family), make)

    def scores(self, family: str) -> FamilyScoresView:
        """What the champion makes of a family's pictures. Raises BadInputError, TemporaryError without a champion."""
        self._check(family)

        def make() -> FamilyScoresView:
            found = family_scores(self._context, self._sheet(), family)
            shown = [picture.sha256 for picture in (*found.most_synthetic, *found.least_synthetic)]
            if self._context.settings.http.pictures:
                self._thumbnails.prepare(shown)
            return found

        return self._remember(("scores", family), make)

    def evidence(self, family: str) -> EvidenceView | None:
        """The curve of the family's test; None when none runs. Raises BadInputError."""
        self._check(family)

        def make() -> EvidenceView | None:
            with self._working:
                watch = look(self._context, back=True)
            return None if watch is None else evidence_of(watch, family)

        return self._remember(("evidence", family), make)

    def explanation(self, family: str) -> FamilyExplanationView:
        """What sets a family apart. Raises BadInputError, TemporaryError, ConfigurationError."""
        self._check(family)

        def make() -> FamilyExplanationView:
            with self._working:
                return explain_family(self._context, self._champion(), family)

        return self._remember(("explanation", family), make)

    def version(self, version: str) -> VersionDetailView:
        """Everything about a version. Raises BadInputError, CorruptArtifact."""
        named = version_named(self._context.registry, version).id
        view = next((one for one in self._status().versions if one.id == named), None)
        if view is None:
            raise NotFoundError(f"there is no version {version}")
        return version_detail(self._context, view)

    def episode(self, number: int) -> EpisodeDetailView:
        """An episode with its timeline and tests. Raises BadInputError."""
        samples, registry = self._context.samples, self._context.registry
        found = next((one for one in samples.episodes() if one.id == number), None)
        if found is None:
            raise NotFoundError(f"there is no episode {number}")
        entries = timeline(found, registry.audit(), registry.versions(), samples.events_since(found.opened_at))
        champion = registry.champion()
        versions = dict.fromkeys((found.champion, *([champion.id] if champion else [])))
        tests = [
            test
            for version in versions
            for test in samples.test_states(version)
            if test.subject == Subject("family", found.family)
        ]
        return EpisodeDetailView(
            episode=episode_view(found, self._context.clock.now()),
            timeline=[
                EntryView(at=entry.at, what=entry.what, text=entry.text, version=_version(entry.data))
                for entry in entries
            ],
            tests=[
                TestView(
                    version=test.version,
                    log10_evidence=test.log10_evidence,
                    log10_alarm=test.log10_alarm,
                    votes=test.votes,
                    restarts=test.restarts,
                )
                for test in tests
            ],
        )

    def quarantine(self, limit: int, offset: int) -> QuarantineView:
        """A part of what is set apart."""
        samples = self._context.samples
        return QuarantineView(
            samples=[view_of(one) for one in samples.quarantined(limit, offset)],
            total=samples.quarantined_count(),
        )

    def thumbnail(self, sha256: str) -> bytes | None:
        """A small JPEG of a picture; None when there is none, or none are to be shown. Raises ChildFailed."""
        return self._thumbnails.get(sha256) if self._context.settings.http.pictures else None

    def _make_history(self) -> History:
        reigns = reigns_of(self._context.registry.audit())
        means = self._context.samples.past_means(HELD_OUT, PROFILE, self._since(), versions=versions_of(reigns))
        return history_of(means, reigns)

    def _since(self) -> datetime:
        return self._context.clock.now() - HISTORY

    def _sheet(self) -> ScoreSheet:
        def make() -> ScoreSheet:
            with self._working:
                return make_sheet(self._context, self._champion())

        return self._remember("sheet", make)

    def _champion(self) -> LoadedVersion:
        champion = self._context.champion.get()
        if champion is None:
            raise TemporaryError("there is no champion yet, so nothing is scored")
        return champion

    def _check(self, family: str) -> None:
        if all(one.name != family for one in self._status().families):
            raise NotFoundError(f"there is no family {family!r}")

    def _remember(self, name: Hashable, make: Callable[[], Answer]) -> Answer:
        mark = self._mark()
        with self._guard:
            kept = self._kept.get(name)
        if kept is not None and kept[0] == mark:
            return cast(Answer, kept[1])
        made = make()
        with self._guard:
            self._kept[name] = mark, made
            self._kept.move_to_end(name)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def _mark(self) -> Hashable:
        """What differs when an answer may: the champion, its measurements, people's word on labels."""
        samples, champion = self._context.samples, self._context.registry.champion()
        return champion.id if champion else None, samples.measured_mark(), samples.label_revision()


def _version(data: object) -> str | None:
    found = data.get("version") if isinstance(data, dict) else None
    return found if isinstance(found, str) else None
