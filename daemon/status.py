"""The snapshot, put together from the store: the same whether the service runs or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon import __version__, views
from daemon.drift.budget import Spending
from daemon.drift.spending import spending
from daemon.drift.states import family_state, source_state
from daemon.drift.subject_test import has_degraded, watches_baseline
from daemon.model import (
    PROFILES,
    Alarm,
    AuditRow,
    Episode,
    EvaluationRow,
    FamilyRow,
    Profile,
    Subject,
    TestState,
    VersionRecord,
)
from daemon.ports import Migrations, Registry, RunLog, SampleStore
from daemon.reembed.in_force import encoder_notice
from daemon.reembed.recorded import known
from daemon.settings import Settings

DECISIONS = {"promote": "promoted", "hold": "held", "reject": "rejected", "rollback": "rolled_back"}
RECENT = 50  # decisions and events shown


@dataclass(frozen=True)
class Sources:
    """Where the snapshot comes from; works on a store opened read-only too."""

    settings: Settings
    samples: SampleStore
    registry: Registry
    runs: RunLog
    fingerprint: str | None  # None: the encoder was not started, so the queue is not counted
    simulated: bool
    migrations: Migrations


def snapshot(sources: Sources, state: str, now: datetime) -> views.Status:
    """Everything there is to see at `now`. Raises CorruptArtifact when the champion's manifest is damaged."""
    samples, registry = sources.samples, sources.registry
    champion = registry.champion()
    rows = samples.subjects()
    figures = _figures(samples, champion)
    tests = {t.subject: t for t in samples.test_states(champion.id)} if champion else {}
    episodes = samples.episodes()
    alarmed = {Subject("family", e.family) for e in episodes if e.state == "alarmed"}
    alarmed |= {subject for subject, test in tests.items() if test.alarmed_at}
    families = [
        _family(row, figures, tests.get(row.subject), row.subject in alarmed, sources.settings)
        for row in rows
        if row.subject.kind == "family"
    ]
    real_sources = [
        _source(row, figures, tests.get(row.subject), row.subject in alarmed, sources.settings)
        for row in rows
        if row.subject.kind == "source"
    ]
    audit = registry.audit()
    fingerprint = sources.fingerprint or (champion.fingerprint if champion else None)
    worst = {profile: _worst(families, profile, sources.settings) for profile in PROFILES}
    return views.Status(
        service=views.ServiceView.model_validate(
            {
                "version": __version__,
                "state": state,
                "now": now,
                "simulated": sources.simulated,
                "encoder": _encoder_name(sources, champion),
                "fingerprint": fingerprint,
                "prevalence": sources.settings.evaluate.prevalence,
            }
        ),
        champion=_champion(registry, champion, audit) if champion else None,
        mean_ap={profile: _mean_ap(families, profile) for profile in PROFILES},
        worst_ap={profile: found[1] if found else None for profile, found in worst.items()},
        worst_family={profile: found[0] if found else None for profile, found in worst.items()},
        real_false_positive_rate={profile: _mean_rate(real_sources, profile) for profile in PROFILES},
        families=families,
        real_sources=real_sources,
        episodes=[_episode(episode) for episode in episodes],
        versions=_versions(registry, audit),
        decisions=[_decision(row) for row in reversed(audit) if row.action in DECISIONS and row.version][:RECENT],
        queue=_queue(samples, fingerprint),
        quarantine=samples.quarantine_counts(),
        samples=samples.sample_counts(),
        adapters=_adapters(sources),
        jobs=_jobs(sources.runs),
        migration=_migration(sources),
        encoder_notice=encoder_notice(sources.settings.encoder, registry, sources.migrations),
        events=[views.EventView(kind=e.kind, at=e.at, text=e.text) for e in samples.events(RECENT)],
        alarms=[_alarm(alarm) for alarm in samples.alarms()],
        alarm_budget=_budget(spending(samples, registry, sources.settings.alarms, now)),
    )


def _alarm(alarm: Alarm) -> views.AlarmView:
    return views.AlarmView(
        kind=alarm.kind,
        about=alarm.about,
        raised_at=alarm.raised_at,
        evidence_log10=alarm.log10_evidence,
        alarm_log10=alarm.log10_alarm,
        text=alarm.text,
    )


def _budget(spent: Spending) -> views.AlarmBudgetView:
    return views.AlarmBudgetView(
        false_alarms_per_30_days=spent.budget,
        new_tests=spent.new_tests,
        new_spent=spent.new_spent,
        known_subjects=spent.known_subjects,
        known_votes=spent.known_votes,
        known_spent=spent.known_spent,
        run_length=spent.run_length,
    )


Figures = dict[tuple[Subject, Profile, str], EvaluationRow]


def _figures(samples: SampleStore, champion: VersionRecord | None) -> Figures:
    if champion is None:
        return {}
    return {(row.subject, row.profile, row.window): row for row in samples.latest_evaluations(champion.id)}


def _family(
    row: FamilyRow, figures: Figures, test: TestState | None, alarmed: bool, settings: Settings
) -> views.FamilyView:
    found = {profile: figures.get((row.subject, profile, "held_out")) for profile in PROFILES}
    raw = found["raw"]
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
        profiles={profile: _family_figures(figure) for profile, figure in found.items() if figure},
        test="baseline" if watches_baseline(test) else "floor",
    )


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
    profiles = {}
    for profile in PROFILES:
        figure = figures.get((row.subject, profile, "held_out"))
        left_out = figures.get((row.subject, profile, "left_out"))
        if figure:
            profiles[profile] = views.SourceFigures(
                false_positive_rate=figure.false_positive_rate,
                lower=figure.false_positive_lower,
                upper=figure.false_positive_upper,
                left_out=left_out.false_positive_rate if left_out else None,
                n=figure.n,
            )
    return views.SourceView(
        name=row.subject.name,
        trust=row.trust,
        state=source_state(row.samples, alarmed, settings.evaluate.min_samples),
        samples=row.samples,
        last_sample_at=row.last_sample_at,
        evidence_log10=test.log10_evidence if test else None,
        alarm_log10=test.log10_alarm if test else None,
        profiles=dict(profiles),
    )


def _mean_ap(families: Sequence[views.FamilyView], profile: Profile) -> float | None:
    values = [f.profiles[profile].ap for f in families if profile in f.profiles]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _worst(families: Sequence[views.FamilyView], profile: Profile, settings: Settings) -> tuple[str, float] | None:
    floor = settings.evaluate.min_samples_worst
    candidates = [(f.profiles[profile], f.name) for f in families if profile in f.profiles]
    measured = [(figures.ap, name) for figures, name in candidates if figures.ap is not None and figures.n >= floor]
    if not measured:
        return None
    ap, name = min(measured)
    return name, ap


def _mean_rate(real_sources: Sequence[views.SourceView], profile: Profile) -> float | None:
    rates = [s.profiles[profile].false_positive_rate for s in real_sources if profile in s.profiles]
    known = [rate for rate in rates if rate is not None]
    return sum(known) / len(known) if known else None


def _champion(registry: Registry, champion: VersionRecord, audit: Sequence[AuditRow]) -> views.ChampionView:
    """From the manifest alone: the artifact itself is checked where it scores, and reading it costs a scipy."""
    manifest = json.loads(registry.artifact(champion.id)[1])
    thresholds = {profile: threshold["value"] for profile, threshold in manifest["thresholds"].items()}
    groups = manifest["about"].get("statistics", {}).get("groups", ())  # none: it learned nothing of this store
    subjects = {(group["kind"], group["name"]) for group in groups if group["modelled"]}
    promoted = [row.at for row in audit if row.version == champion.id and row.action in ("promote", "rollback")]
    return views.ChampionView(
        id=champion.id,
        learner=champion.learner,
        promoted_at=promoted[-1] if promoted else champion.created_at,
        thresholds={profile: None if value == "inf" else value for profile, value in thresholds.items()},
        threshold_method=manifest["thresholds"]["raw"]["method"],
        alpha=manifest["thresholds"]["raw"]["alpha"],
        families=sum(kind == "family" for kind, _ in subjects),
        sources=sum(kind == "source" for kind, _ in subjects),
    )


def _episode(episode: Episode) -> views.EpisodeView:
    return views.EpisodeView(
        family=episode.family,
        state=episode.state,
        opened_at=episode.opened_at,
        alarmed_at=episode.alarmed_at,
        samples_to_alarm=episode.samples_to_alarm,
        ap_before=episode.ap_before,
        champion=episode.champion,
        version=episode.version,
        learned_at=episode.learned_at,
        ap_after=episode.ap_after,
        samples_after=episode.samples_after,
        recovered_at=episode.recovered_at,
        recovered=episode.recovered_at is not None,
        note=episode.note,
    )


def _versions(registry: Registry, audit: Sequence[AuditRow]) -> list[views.VersionView]:
    champion, previous = registry.champion(), registry.previous()
    reasons = {row.version: row.reason for row in audit}
    return [_version(version, champion, previous, reasons) for version in registry.versions()]


def _version(
    version: VersionRecord,
    champion: VersionRecord | None,
    previous: VersionRecord | None,
    reasons: dict[str | None, str],
) -> views.VersionView:
    role = ""
    if champion and version.id == champion.id:
        role = "champion"
    elif previous and version.id == previous.id:
        role = "previous"
    elif version.state == "challenger":
        role = "challenger"
    return views.VersionView.model_validate(
        {
            "id": version.id,
            "role": role,
            "state": version.state,
            "parent": version.parent,
            "learner": version.learner,
            "created_at": version.created_at,
            "encoder": version.fingerprint,
            "reason": reasons.get(version.id, ""),
        }
    )


def _decision(row: AuditRow) -> views.DecisionView:
    return views.DecisionView.model_validate(
        {
            "version": row.version,
            "decision": DECISIONS[row.action],
            "reason": row.reason,
            "at": row.at,
            "actor": row.actor,
        }
    )


def _encoder_name(sources: Sources, champion: VersionRecord | None) -> str:
    """Of the encoder in force, which config.yaml may not know yet."""
    recorded = known(sources.migrations.all()).get(champion.fingerprint) if champion else None
    return str(recorded["name"]) if recorded else sources.settings.encoder.name


def _migration(sources: Sources) -> views.MigrationView | None:
    every = sources.migrations.all()
    if not every:
        return None
    last = every[-1]
    counts = sources.migrations.counts(last.id)
    return views.MigrationView(
        id=last.id,
        encoder=str(last.to_settings["name"]),
        fingerprint=last.to_fingerprint,
        state=last.state,
        began_at=last.began_at,
        changed_at=last.changed_at,
        version=last.version,
        embedded=counts.embedded,
        waiting=counts.waiting,
        without_picture=counts.without_picture,
        failed=counts.failed,
        reason=last.reason,
    )


def _queue(samples: SampleStore, fingerprint: str | None) -> list[views.QueueView]:
    if fingerprint is None:
        return []
    return [
        views.QueueView(stage=stage, samples=count, oldest=oldest)
        for stage, (count, oldest) in samples.queue(fingerprint).items()
    ]


def _adapters(sources: Sources) -> list[views.AdapterView]:
    known = {row.name: row for row in sources.samples.adapters()}
    configured = {adapter.name: adapter for adapter in sources.settings.adapters if adapter.enabled}
    found = []
    for name in sorted({*known, *configured}):
        row, settings = known.get(name), configured.get(name)
        found.append(
            views.AdapterView(
                name=name,
                kind=settings.kind if settings else "",
                configured=settings is not None,
                interval_seconds=settings.every.total_seconds() if settings else None,
                last_success_at=row.last_success_at if row else None,
                stored=row.stored if row else 0,
                rejected=row.rejected if row else {},
                quarantined=row.quarantined if row else {},
            )
        )
    return found


def _jobs(runs: RunLog) -> list[views.JobView]:
    return [
        views.JobView(
            job=run.job,
            state=run.state,
            outcome=run.outcome,
            due_at=run.due_at,
            finished_at=run.finished_at,
            detail=run.detail,
        )
        for run in runs.latest()
    ]
