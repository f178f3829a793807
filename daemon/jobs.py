"""Jobs: which there are under a configuration, how often they run, and a person's word on them.

What a person says is one transaction, so it may happen beside a running service, which looks every second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from daemon.context import Context
from daemon.episodes.snoozing import snoozed_until
from daemon.errors import BadInputError, NotFoundError, TemporaryError
from daemon.learn.automatic import JOB as RETRAIN_DUE
from daemon.learn.retraining import RETRAININGS
from daemon.model import JobPause
from daemon.runs import tick
from daemon.settings import Settings

CYCLE: Final = "cycle"
NOTIFY: Final = "notify"  # sends what waits in the outbox
ON_DEMAND: Final = ("update", "recalibrate", *RETRAININGS, RETRAIN_DUE, "reembed", "gate_imports")


def intake_job(adapter: str) -> str:
    """The job that polls an adapter."""
    return f"intake_{adapter}"


def intervals(settings: Settings) -> dict[str, timedelta | None]:
    """Every job with how often it runs; None: when the service itself or a person asks for it."""
    found: dict[str, timedelta | None] = {CYCLE: settings.schedule.cycle_every, **dict.fromkeys(ON_DEMAND)}
    if any(channel.enabled for channel in settings.notify.channels):
        found[NOTIFY] = settings.notify.retry_every
    found.update({intake_job(one.name): one.every for one in settings.adapters if one.enabled})
    return found


def described(pause: JobPause) -> str:
    """`paused by ada until 2030-01-02 12:00 UTC: the vendor is down`."""
    until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
    return f"paused by {pause.actor}{until}{f': {pause.reason}' if pause.reason else ''}"


def pause_of(context: Context, job: str) -> JobPause | None:
    """The pause that holds a job now."""
    now = context.clock.now()
    return next((one for one in context.runs.pauses() if one.job == job and one.holds(now)), None)


def refuse_paused(context: Context, job: str) -> None:
    """Raises TemporaryError when a job is paused that a command is about to do itself."""
    pause = pause_of(context, job)
    if pause is not None:
        raise TemporaryError(f"the job {job} is {described(pause)}; `sidwatch jobs resume {job}` ends that")


@dataclass(frozen=True)
class Jobs:
    """A person's word on them. Every method raises BadInputError when there is no such job."""

    context: Context

    def run(self, job: str, actor: str, reason: str) -> None:
        """Have it done once, as soon as it is not under way. Raises BadInputError while it is paused."""
        self._check(job)
        pause = pause_of(self.context, job)
        if pause is not None:
            raise BadInputError(f"{job} is {described(pause)}; `sidwatch jobs resume {job}` ends that")
        self.context.runs.ask(job, actor, reason, self.context.clock.now())

    def pause(self, job: str, length: timedelta | None, actor: str, reason: str) -> JobPause:
        """Begin no run of it for so long, or until it is resumed (None); one that is under way ends as it would."""
        self._check(job)
        now = self.context.clock.now()
        pause = JobPause(job, now, None if length is None else snoozed_until(now, length, "pause"), actor, reason)
        self.context.runs.pause(pause)
        return pause

    def resume(self, job: str, actor: str, reason: str) -> None:
        """End a pause, of a job that is no longer configured too; one that has an interval runs at once.

        Raises BadInputError when it is not paused.
        """
        now: datetime = self.context.clock.now()
        if not self.context.runs.resume(job, actor, reason, now):
            self._check(job)
            raise BadInputError(f"{job} is not paused")
        if intervals(self.context.settings).get(job) is not None:
            tick(self.context, job)

    def _check(self, job: str) -> None:
        known = intervals(self.context.settings)
        if job not in known:
            raise NotFoundError(f"there is no job {job!r}; there are: {', '.join(sorted(known))}")
