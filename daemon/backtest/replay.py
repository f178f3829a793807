"""The replay of one policy: the service's cycle at every delivery, measured at the end of every period."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from daemon.app import Opened, opened
from daemon.backtest.cache import CachingEncoder, CachingInspector, CachingSeparation, Pictures
from daemon.backtest.calendar import Calendar, Delivery
from daemon.backtest.collection import adapter_of
from daemon.backtest.delivering import CalendarPoller
from daemon.backtest.figures import measure
from daemon.backtest.policies import Policy
from daemon.backtest.progress import Decision, Incident, Outcome, Progress, load_progress, progress_file, save_progress
from daemon.clock import AcceleratedClock
from daemon.context import Context
from daemon.drift.hindsight import false_alarms
from daemon.encoders.pool import Encoders
from daemon.model import Event
from daemon.ports import DerivedFiles
from daemon.runs import Leases
from daemon.settings import ClockSettings, Settings, StoreSettings
from daemon.supervisor import run_one_cycle

STEP = timedelta(minutes=1)  # of simulated time between two cycles of one delivery


@dataclass(frozen=True)
class Replay:
    """One policy over one calendar, in a folder of its own."""

    settings: Settings  # as configured; the policy adds to it
    policy: Policy
    calendar: Calendar
    folder: Path
    manifest: Path
    files: DerivedFiles
    encoder: CachingEncoder

    def run(self, told: Callable[[int, int], None]) -> Progress:
        """Go on from where an earlier process got to, to the end; a replay that is over is only read.

        told: of the deliveries dealt with, and of how many there are.
        A kill at any instant costs the delivery that is being dealt with: the store goes on with it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        calendar = self.calendar.at_once() if self.policy.at_once else self.calendar
        progress = load_progress(self._file)
        if progress.outcome is not None:
            return progress
        with opened(self._settings(calendar), encoder=False, notifier=_Silent()) as state:
            context = self._context(state, calendar)
            context.runs.recover(context.clock.now(), holder=state.holder)
            if any(run.job == "cycle" and run.outcome == "ok" for run in context.runs.latest()):
                context.clock.after_cycle()  # as it was when the process before this one was cut off
            leases = Leases(context, state.holder)
            for number in range(progress.delivered, len(calendar.deliveries)):
                told(number, len(calendar.deliveries))
                progress = self._deliver(context, leases, calendar.deliveries[number], progress)
            progress = progress.model_copy(update={"outcome": outcome_of(context)})
            save_progress(self._file, progress)
        told(len(calendar.deliveries), len(calendar.deliveries))
        return progress

    def _deliver(self, context: Context, leases: Leases, delivery: Delivery, progress: Progress) -> Progress:
        assert isinstance(context.clock, AcceleratedClock)
        context.clock.catch_up(delivery.at)
        new = [family for family in delivery.new if family not in progress.zero_shot]
        if new:
            moment = measure(context, self.calendar, self.encoder, new)
            progress = progress.model_copy(update={"zero_shot": progress.zero_shot | dict.fromkeys(new, moment)})
            save_progress(self._file, progress)  # before the first of them comes: a cycle may learn it at once
        while not run_one_cycle(context, leases, self.policy.turn).idle:
            pass
        periods = progress.periods
        if delivery.ends:
            moment = measure(context, self.calendar, self.encoder, self.calendar.released)
            periods = periods | dict.fromkeys(delivery.ends, moment)
        progress = progress.model_copy(update={"delivered": progress.delivered + 1, "periods": periods})
        save_progress(self._file, progress)
        return progress

    @property
    def _file(self) -> Path:
        return progress_file(self.folder)

    def _settings(self, calendar: Calendar) -> Settings:
        """The service's configuration on a store, a clock and an adapter of the replay's own."""
        return self.policy.settings(self.settings).model_copy(
            update={
                "store": StoreSettings(directory=self.folder / "state"),
                "clock": ClockSettings(kind="simulated", start=calendar.start, step=STEP),
                "adapters": (adapter_of(self.manifest),),
            }
        )

    def _context(self, state: Opened, calendar: Calendar) -> Context:
        pictures = Pictures(self.files)
        return replace(
            state.context,
            encoders=Encoders(self.encoder, self.settings.encoder),
            inspector=CachingInspector(self.files, state.context.inspector),
            separation=CachingSeparation(self.files),
            poller=lambda adapter: CalendarPoller(calendar, pictures),
        )


def outcome_of(context: Context) -> Outcome:
    """What the service did, as its store says."""
    incidents = [
        Incident(
            family=episode.family,
            champion=episode.champion,
            alarmed_at=episode.alarmed_at,
            samples_to_alarm=episode.samples_to_alarm,
            learned_at=episode.learned_at,
            version=episode.version,
            recovered_at=episode.recovered_at,
            samples_to_recovery=episode.samples_after if episode.recovered_at else None,
        )
        for episode in context.samples.episodes()
    ]
    decisions = [
        Decision(version=version.id, at=version.created_at, decision=version.state, reason=_reason(version.verdict))
        for version in context.registry.versions()
    ]
    return Outcome(
        incidents=sorted(incidents, key=lambda incident: (incident.alarmed_at, incident.family)),
        decisions=decisions,
        false_alarms=[(version, subject.kind, subject.name) for version, subject in false_alarms(context)],
    )


def _reason(verdict: dict[str, object] | None) -> str:
    return str((verdict or {}).get("reason", ""))


class _Silent:
    """A replay tells nobody: what happened is in its report."""

    def send(self, event: Event) -> None: ...
