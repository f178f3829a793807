"""What the service does and talks to, as people see it: adapters, queue, jobs, channels, a change of encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime

from daemon import views
from daemon.intake.spending import spending_of
from daemon.model import FEEDBACK, PUSH, AdapterRow, JobPause, OutboxCounts, VersionRecord
from daemon.ports import Migrations, RunLog, SampleStore
from daemon.reembed.recorded import known
from daemon.settings import AdapterSettings, ChannelSettings, Settings

_OVER_HTTP = {FEEDBACK: "reports", PUSH: "push"}  # what brings samples in without being polled


def adapter_views(samples: SampleStore, adapters: Sequence[AdapterSettings], today: date) -> list[views.AdapterView]:
    """Every adapter that is configured or ever delivered, by name."""
    known = {row.name: row for row in samples.adapters()}
    configured = {adapter.name: adapter for adapter in adapters if adapter.enabled}
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


def queue_views(samples: SampleStore, fingerprint: str | None) -> list[views.QueueView]:
    """How much waits for each stage, and since when; nothing is said without an encoder."""
    if fingerprint is None:
        return []
    return [
        views.QueueView(stage=stage, samples=count, oldest=oldest)
        for stage, (count, oldest) in samples.queue(fingerprint).items()
    ]


def channel_views(samples: SampleStore, channels: Sequence[ChannelSettings]) -> list[views.ChannelView]:
    """Every configured channel, by name."""
    known = {row.channel: row for row in samples.outbox_counts()}
    configured = {channel.name for channel in channels if channel.enabled}
    return [
        views.ChannelView(**asdict(known.get(name, OutboxCounts(name, 0, None, 0, 0, ""))))
        for name in sorted(configured)
    ]


def job_views(runs: RunLog, now: datetime) -> list[views.JobView]:
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


def encoder_name(migrations: Migrations, settings: Settings, champion: VersionRecord | None) -> str:
    """Of the encoder in force, which config.yaml may not know yet."""
    recorded = known(migrations.all()).get(champion.fingerprint) if champion else None
    return str(recorded["name"]) if recorded else settings.encoder.name


def migration_view(migrations: Migrations) -> views.MigrationView | None:
    """The newest change of the encoder; None: there was none."""
    every = migrations.all()
    if not every:
        return None
    last = every[-1]
    counts = migrations.counts(last.id)
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
