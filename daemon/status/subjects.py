"""Families and real sources as people see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from daemon import views
from daemon.drift.states import family_state, source_state
from daemon.drift.subject_test import has_degraded, watches_baseline
from daemon.figures import HELD_OUT, LEFT_OUT, SHADOW, latest_challenger, summaries
from daemon.model import PROFILES, EvaluationRow, FamilyRow, Profile, Subject, TestState, VersionRecord
from daemon.ports import Registry, SampleStore
from daemon.settings import EvaluateSettings, Settings

Role = Literal["champion", "challenger"]
ROLES: tuple[Role, ...] = ("champion", "challenger")


@dataclass(frozen=True)
class Figures:
    """The newest measurement of each role."""

    rows: dict[Role, list[EvaluationRow]]
    at: dict[tuple[Role, Subject, str, Profile], EvaluationRow]  # by role, subject, window, profile

    def of(self, role: Role, subject: Subject, window: str) -> dict[Profile, EvaluationRow]:
        """One window of a subject, by profile."""
        keys = {profile: (role, subject, window, profile) for profile in PROFILES}
        return {profile: self.at[key] for profile, key in keys.items() if key in self.at}

    def sliding(self, subject: Subject) -> list[str]:
        """The champion's windows of a subject beside `held_out` and `left_out`."""
        names = {row.window: None for row in self.rows["champion"] if row.subject == subject}
        return [name for name in names if name not in (HELD_OUT, LEFT_OUT, SHADOW)]


@dataclass(frozen=True)
class SubjectViews:
    """Every family and real source as people see it."""

    families: list[views.FamilyView]
    real_sources: list[views.SourceView]
    figures: Figures


def subject_views(settings: Settings, samples: SampleStore, registry: Registry) -> SubjectViews:
    """The families and real sources with their states: the one place where a state is decided."""
    champion = registry.champion()
    challenger = latest_challenger(registry, champion) if champion else None
    figures = _figures(samples, champion, challenger)
    tests = {t.subject: t for t in samples.test_states(champion.id)} if champion else {}
    alarmed = {Subject("family", e.family) for e in samples.episodes(open_only=True) if e.state == "alarmed"}
    alarmed |= {subject for subject, test in tests.items() if test.alarmed_at}
    families, real_sources = [], []
    for row in samples.subjects():
        if row.retired:
            continue
        test, known = tests.get(row.subject), row.subject in alarmed
        if row.subject.kind == "family":
            families.append(_family(row, figures, test, known, settings))
        else:
            real_sources.append(_source(row, figures, test, known, settings))
    return SubjectViews(families, real_sources, figures)


def _figures(samples: SampleStore, champion: VersionRecord | None, challenger: VersionRecord | None) -> Figures:
    versions: dict[Role, VersionRecord | None] = {"champion": champion, "challenger": challenger}
    rows = {role: samples.latest_evaluations(version.id) if version else [] for role, version in versions.items()}
    at = {(role, row.subject, row.window, row.profile): row for role, own in rows.items() for row in own}
    return Figures(rows, at)


def window_views(figures: Figures, settings: EvaluateSettings) -> list[views.WindowView]:
    """What each window of each role comes to over its subjects."""
    found = []
    for role in ROLES:
        for summary in summaries(figures.rows[role], settings.min_samples, settings.min_samples_worst):
            found.append(views.WindowView(role=role, **asdict(summary)))
    return found


def _family(
    row: FamilyRow, figures: Figures, test: TestState | None, alarmed: bool, settings: Settings
) -> views.FamilyView:
    found = figures.of("champion", row.subject, HELD_OUT)
    raw = found.get("raw")
    upper = raw.auroc_upper if raw and raw.auroc_upper is not None else 1.0
    return views.FamilyView(
        name=row.subject.name,
        kind=row.kind,
        released=row.released,
        state=family_state(
            raw.n if raw else 0, alarmed, upper, settings.evaluate.min_samples, degraded=has_degraded(test)
        ),
        samples=row.samples,
        first_seen=row.first_seen,
        last_sample_at=row.last_sample_at,
        evidence_log10=test.log10_evidence if test else None,
        alarm_log10=test.log10_alarm if test else None,
        votes=test.votes if test else 0,
        profiles=_by_profile(found),
        windows={name: _by_profile(figures.of("champion", row.subject, name)) for name in figures.sliding(row.subject)},
        challenger=_by_profile(figures.of("challenger", row.subject, HELD_OUT)),
        test="baseline" if watches_baseline(test) else "floor",
    )


def _by_profile(found: Mapping[Profile, EvaluationRow]) -> dict[str, views.FamilyFigures]:
    return {profile: _family_figures(row) for profile, row in found.items()}


def _family_figures(row: EvaluationRow) -> views.FamilyFigures:
    return views.FamilyFigures(
        ap=row.ap,
        ap_lower=row.ap_lower,
        ap_upper=row.ap_upper,
        approximate=row.approximate,
        auroc=row.auroc,
        auroc_lower=row.auroc_lower,
        auroc_upper=row.auroc_upper,
        recall=row.recall,
        recall_lower=row.recall_lower,
        recall_upper=row.recall_upper,
        n=row.n,
    )


def _source(
    row: FamilyRow, figures: Figures, test: TestState | None, alarmed: bool, settings: Settings
) -> views.SourceView:
    return views.SourceView(
        name=row.subject.name,
        trust=row.trust,
        state=source_state(row.samples, alarmed, settings.evaluate.min_samples),
        samples=row.samples,
        last_sample_at=row.last_sample_at,
        evidence_log10=test.log10_evidence if test else None,
        alarm_log10=test.log10_alarm if test else None,
        profiles=_source_figures(figures, "champion", row.subject, HELD_OUT),
        windows={
            name: _source_figures(figures, "champion", row.subject, name) for name in figures.sliding(row.subject)
        },
        challenger=_source_figures(figures, "challenger", row.subject, HELD_OUT),
    )


def _source_figures(figures: Figures, role: Role, subject: Subject, window: str) -> dict[str, views.SourceFigures]:
    left_out = figures.of(role, subject, LEFT_OUT) if window == HELD_OUT else {}
    return {
        profile: views.SourceFigures(
            false_positive_rate=row.false_positive_rate,
            lower=row.false_positive_lower,
            upper=row.false_positive_upper,
            left_out=left_out[profile].false_positive_rate if profile in left_out else None,
            n=row.n,
        )
        for profile, row in figures.of(role, subject, window).items()
    }
