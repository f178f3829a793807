"""APScheduler 3 as nothing but a clock: its ticks insert run rows and wake the worker of the job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

log = structlog.get_logger("sidwatch.schedule")


class Schedule:
    """Calls `tick(job)` at every interval of every job, the first time at once.

    A job that is due several times, after a stall or a suspend, ticks once.
    """

    def __init__(self, intervals: Mapping[str, timedelta], tick: Callable[[str], None]) -> None:
        self._intervals = dict(intervals)
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        for job in self._intervals:
            self._scheduler.add_job(tick, self._trigger(job), args=[job], id=job, next_run_time=datetime.now(UTC))
        self._scheduler.add_listener(_report, EVENT_JOB_MISSED | EVENT_JOB_ERROR | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()

    def realign(self) -> None:
        """Compute every next tick anew: APScheduler follows the wall clock, and that has just been moved."""
        for job in self._intervals:
            self._scheduler.reschedule_job(job, trigger=self._trigger(job))

    def stop(self) -> None:
        """No tick comes after this returns."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _trigger(self, job: str) -> IntervalTrigger:
        return IntervalTrigger(seconds=self._intervals[job].total_seconds(), timezone=UTC)


def _report(event: JobEvent) -> None:
    log.warning("tick did not run as planned", scheduled_job=event.job_id, code=event.code)
