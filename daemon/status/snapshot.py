"""The snapshot, put together from the store: the same whether the service runs or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from daemon import __version__, views
from daemon.drift.spending import spending
from daemon.figures import HELD_OUT
from daemon.model import PROFILES, Profile
from daemon.ports import Migrations, Registry, RunLog, SampleStore
from daemon.reembed.in_force import encoder_notice
from daemon.registry.flapping import WATCH, flapping
from daemon.registry.shadows import shadows
from daemon.settings import Settings
from daemon.status.alarms import alarm_view, budget_view, shortcut_view
from daemon.status.episodes import episode_view
from daemon.status.operation import (
    adapter_views,
    channel_views,
    encoder_name,
    job_views,
    migration_view,
    queue_views,
)
from daemon.status.subjects import subject_views, window_views
from daemon.status.versions import DECISIONS, champion_view, decision_views, version_views, waiting_since

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
    samples, registry, settings = sources.samples, sources.registry, sources.settings
    champion = registry.champion()
    subjects = subject_views(settings, samples, registry)
    audit = registry.audit()
    fingerprint = sources.fingerprint or (champion.fingerprint if champion else None)
    windows = window_views(subjects.figures, settings.evaluate)
    held_out = {view.profile: view for view in windows if (view.role, view.window) == ("champion", HELD_OUT)}
    return views.Status(
        service=views.ServiceView.model_validate(
            {
                "version": __version__,
                "state": state,
                "now": now,
                "simulated": sources.simulated,
                "encoder": encoder_name(sources.migrations, settings, champion),
                "fingerprint": fingerprint,
                "prevalence": settings.evaluate.prevalence,
            }
        ),
        champion=champion_view(registry, champion, audit) if champion else None,
        mean_ap={profile: _of(held_out, profile, "mean_ap") for profile in PROFILES},
        worst_ap={profile: _of(held_out, profile, "worst_ap") for profile in PROFILES},
        worst_family={profile: _of(held_out, profile, "worst_family") for profile in PROFILES},
        real_false_positive_rate={profile: _of(held_out, profile, "false_positive_rate") for profile in PROFILES},
        windows=windows,
        families=subjects.families,
        real_sources=subjects.real_sources,
        episodes=[episode_view(episode, now) for episode in samples.episodes()],
        versions=version_views(registry, audit),
        decisions=decision_views(audit, RECENT),
        decision_counts={
            decision: count for action, count in registry.audit_counts().items() if (decision := DECISIONS.get(action))
        },
        queue=queue_views(samples, fingerprint),
        quarantine=samples.quarantine_counts(),
        samples=samples.sample_counts(),
        adapters=adapter_views(samples, settings.adapters, now.astimezone(UTC).date()),
        jobs=job_views(sources.runs, now),
        migration=migration_view(sources.migrations),
        encoder_notice=encoder_notice(settings.encoder, registry, sources.migrations),
        events=[views.EventView(kind=e.kind, at=e.at, text=e.text) for e in samples.events(RECENT)],
        alarms=[alarm_view(alarm) for alarm in samples.alarms()],
        shortcuts=[
            shortcut_view(audit, settings.shortcut_audit)
            for audit in samples.shortcut_audits()
            if audit.known or audit.unknown
        ],
        channels=channel_views(samples, settings.notify.channels),
        alarm_budget=budget_view(spending(samples, registry, settings.alarms, now)),
        returned_at=max((row.at for row in audit if row.action == "rollback" and row.actor == WATCH), default=None),
        shadows=[views.ShadowView(**asdict(one)) for one in shadows(samples, registry, settings.promotion)],
        approval_waiting_since=waiting_since(registry, champion, audit),
        flapping=flapping(audit, now, settings.promotion.flapping_returns, settings.promotion.flapping_window),
    )


def _of(held_out: Mapping[str, views.WindowView], profile: Profile, figure: str) -> Any:
    return getattr(held_out[profile], figure) if profile in held_out else None
