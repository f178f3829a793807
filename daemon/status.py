"""The snapshot, put together from the store: the same whether the service runs or not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from daemon import __version__, views
from daemon.drift.budget import Spending
from daemon.drift.spending import spending
from daemon.drift.states import family_state, source_state
from daemon.drift.subject_test import has_degraded, watches_baseline
from daemon.errors import CorruptArtifact
from daemon.figures import HELD_OUT, LEFT_OUT, SHADOW, latest_challenger, summaries
from daemon.intake.spending import spending_of
from daemon.model import (
    FEEDBACK,
    PROFILES,
    PUSH,
    AdapterRow,
    Alarm,
    AuditRow,
    BatchAudit,
    Episode,
    EvaluationRow,
    FamilyRow,
    JobPause,
    OutboxCounts,
    Profile,
    Subject,
    TestState,
    VersionRecord,
)
from daemon.ports import Migrations, Registry, RunLog, SampleStore
from daemon.reembed.in_force import encoder_notice
from daemon.reembed.recorded import known
from daemon.registry.flapping import WATCH, flapping
from daemon.registry.shadows import shadows
from daemon.settings import AdapterSettings, Settings

DECISIONS = {
    "promote": "promoted",
    "hold": "held",
    "reject": "rejected",
    "rollback": "rolled_back",
    "wait": "waiting",
    "shadow": "shadow",
}
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
    subjects = subject_views(sources.settings, samples, registry)
    audit = registry.audit()
    fingerprint = sources.fingerprint or (champion.fingerprint if champion else None)
    windows = _windows(subjects.figures, sources.settings)
    held_out = {view.profile: view for view in windows if (view.role, view.window) == ("champion", HELD_OUT)}
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
        mean_ap={profile: _of(held_out, profile, "mean_ap") for profile in PROFILES},
        worst_ap={profile: _of(held_out, profile, "worst_ap") for profile in PROFILES},
        worst_family={profile: _of(held_out, profile, "worst_family") for profile in PROFILES},
        real_false_positive_rate={profile: _of(held_out, profile, "false_positive_rate") for profile in PROFILES},
        windows=windows,
        families=subjects.families,
        real_sources=subjects.real_sources,
        episodes=[episode_view(episode, now) for episode in samples.episodes()],
        versions=_versions(registry, audit),
        decisions=[_decision(row) for row in reversed(audit) if row.action in DECISIONS and row.version][:RECENT],
        decision_counts={
            decision: count for action, count in registry.audit_counts().items() if (decision := DECISIONS.get(action))
        },
        queue=_queue(samples, fingerprint),
        quarantine=samples.quarantine_counts(),
        samples=samples.sample_counts(),
        adapters=_adapters(sources, now.astimezone(UTC).date()),
        jobs=_jobs(sources.runs, now),
        migration=_migration(sources),
        encoder_notice=encoder_notice(sources.settings.encoder, registry, sources.migrations),
        events=[views.EventView(kind=e.kind, at=e.at, text=e.text) for e in samples.events(RECENT)],
        alarms=[_alarm(alarm) for alarm in samples.alarms()],
        shortcuts=[
            _shortcut(audit, sources.settings) for audit in samples.shortcut_audits() if audit.known or audit.unknown
        ],
        channels=_channels(sources),
        alarm_budget=_budget(spending(samples, registry, sources.settings.alarms, now)),
        returned_at=max((row.at for row in audit if row.action == "rollback" and row.actor == WATCH), default=None),
        shadows=[views.ShadowView(**asdict(one)) for one in shadows(samples, registry, sources.settings.promotion)],
        approval_waiting_since=_waiting_since(registry, champion, audit),
        flapping=flapping(
            audit, now, sources.settings.promotion.flapping_returns, sources.settings.promotion.flapping_window
        ),
    )


def _alarm(alarm: Alarm) -> views.AlarmView:
    return views.AlarmView(
        kind=alarm.kind,
        about=alarm.about,
        raised_at=alarm.raised_at,
        evidence_log10=alarm.log10_evidence,
        alarm_log10=alarm.log10_alarm,
        text=alarm.text,
        missing_samples=_missing(alarm, "samples"),
        missing_sources=_missing(alarm, "sources"),
    )


def _shortcut(audit: BatchAudit, settings: Settings) -> views.ShortcutView:
    return views.ShortcutView(
        kind=audit.batch.subject.kind,
        name=audit.batch.subject.name,
        source=audit.batch.source,
        state=audit.state,
        auroc=audit.auroc,
        lower=audit.lower,
        upper=audit.upper,
        n=audit.n,
        groups=audit.groups,
        others=audit.others,
        unknown=audit.unknown,
        threshold=audit.threshold,
        laundered_only=audit.state == "shortcut" and settings.shortcut_audit.action == "laundered_only",
        at=audit.at,
    )


def _waiting_since(registry: Registry, champion: VersionRecord | None, audit: Sequence[AuditRow]) -> datetime | None:
    """Since when the first of the versions waits that a person could still approve; None: none does."""
    parent = champion.id if champion else None
    waiting = {v.id for v in registry.versions() if v.state == "waiting" and v.parent == parent}
    since = {row.version: row.at for row in audit if row.action == "wait" and row.version in waiting}
    return min(since.values(), default=None)


def _missing(alarm: Alarm, what: str) -> int | None:
    number = alarm.state.get(what) if alarm.kind == "not_learned" and alarm.raised_at is not None else None
    return number if isinstance(number, int) else None


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


def _windows(figures: Figures, settings: Settings) -> list[views.WindowView]:
    found = []
    for role in ROLES:
        for summary in summaries(
            figures.rows[role], settings.evaluate.min_samples, settings.evaluate.min_samples_worst
        ):
            found.append(views.WindowView(role=role, **asdict(summary)))
    return found


def _of(held_out: Mapping[str, views.WindowView], profile: Profile, figure: str) -> Any:
    return getattr(held_out[profile], figure) if profile in held_out else None


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


def _champion(registry: Registry, champion: VersionRecord, audit: Sequence[AuditRow]) -> views.ChampionView:
    """From the manifest alone: the artifact itself is checked where it scores, and reading it costs a scipy."""
    try:
        manifest = json.loads(registry.artifact(champion.id)[1])
    except CorruptArtifact as error:
        way = "; or `sidwatch models rollback`: the version before it comes back" if registry.previous() else ""
        raise CorruptArtifact(f"the champion {champion.id} is damaged: {error}{way}") from error
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


def episode_view(episode: Episode, now: datetime) -> views.EpisodeView:
    """An episode as people see it at `now`."""
    return views.EpisodeView(
        id=episode.id,
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
        handling=episode.handling(now),
        acknowledged_at=episode.acknowledged_at,
        acknowledged_by=episode.acknowledged_by,
        snoozed_until=episode.snoozed_until,
        closed_at=episode.closed_at,
        seconds_to_detect=_seconds(episode.opened_at, episode.alarmed_at),
        seconds_to_learn=_seconds(episode.alarmed_at, episode.learned_at),
        seconds_to_recover=_seconds(episode.alarmed_at, episode.recovered_at),
    )


def _seconds(begin: datetime, end: datetime | None) -> float | None:
    return None if end is None else max(0.0, (end - begin).total_seconds())


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


_OVER_HTTP = {FEEDBACK: "reports", PUSH: "push"}  # what brings samples in without being polled


def _adapters(sources: Sources, today: date) -> list[views.AdapterView]:
    known = {row.name: row for row in sources.samples.adapters()}
    configured = {adapter.name: adapter for adapter in sources.settings.adapters if adapter.enabled}
    found = []
    for name in sorted({*known, *configured}):
        row, settings = known.get(name), configured.get(name)
        found.append(
            views.AdapterView(
                name=name,
                kind=settings.kind if settings else _OVER_HTTP.get(name, ""),
                configured=settings is not None,
                interval_seconds=settings.every.total_seconds() if settings else None,
                last_success_at=row.last_success_at if row else None,
                cursor=row.cursor if row else None,
                stored=row.stored if row else 0,
                rejected=row.rejected if row else {},
                quarantined=row.quarantined if row else {},
                failures=row.failures if row else 0,
                retry_at=row.retry_at if row else None,
                failure=row.failure if row else "",
                spending=_spending(row, settings, today),
            )
        )
    return found


def _spending(row: AdapterRow | None, settings: AdapterSettings | None, today: date) -> views.SpendingView | None:
    if settings is None:
        return None
    found = spending_of(row.cursor if row else None, settings.options, today)
    return None if found is None else views.SpendingView(**asdict(found))


def _channels(sources: Sources) -> list[views.ChannelView]:
    known = {row.channel: row for row in sources.samples.outbox_counts()}
    configured = {channel.name for channel in sources.settings.notify.channels if channel.enabled}
    return [
        views.ChannelView(**asdict(known.get(name, OutboxCounts(name, 0, None, 0, 0, ""))))
        for name in sorted(configured)
    ]


def _jobs(runs: RunLog, now: datetime) -> list[views.JobView]:
    """The run of each job that is under way, or the newest; of a paused one there is always one: no pause is silent."""
    pauses = {pause.job: pause for pause in runs.pauses() if pause.holds(now)}
    shown = {run.job: run for run in (*runs.latest(), *runs.under_way())}
    found = [
        views.JobView(
            job=run.job,
            state=run.state,
            outcome=run.outcome,
            due_at=run.due_at,
            finished_at=run.finished_at,
            detail=run.detail,
            paused=_pause(pauses.pop(run.job, None)),
        )
        for run in shown.values()
    ]
    found += [
        views.JobView(
            job=name, state="waiting", outcome=None, due_at=pause.at, finished_at=None, detail="", paused=_pause(pause)
        )
        for name, pause in pauses.items()
    ]
    return sorted(found, key=lambda view: view.job)


def _pause(pause: JobPause | None) -> views.PauseView | None:
    return (
        None if pause is None else views.PauseView(by=pause.actor, at=pause.at, until=pause.until, reason=pause.reason)
    )
