"""Runs: work is claimed with a lease, done, and finished with an outcome; a fault ends the run, not the service."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from daemon.errors import ChildFailed, SidwatchError, TemporaryError
from daemon.model import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.context import Context
    from daemon.store_context import StoreContext

log = structlog.get_logger("sidwatch.runs")


class Leases:
    """The runs that this process is working on; their leases are extended while it lives."""

    def __init__(self, context: Context, holder: str) -> None:
        self.holder = holder
        self._context = context
        self._lock = Lock()
        self._running: dict[int, float] = {}  # run id -> monotonic seconds of the last extension

    @property
    def length(self) -> timedelta:
        """How long a lease is."""
        return self._context.settings.schedule.lease

    @contextmanager
    def held(self, run: Run) -> Iterator[None]:
        """Keep the run's lease alive while the block runs."""
        with self._lock:
            self._running[run.id] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(run.id, None)

    def extend(self) -> None:
        """Extend what is a third through its lease; called every second by the supervisor."""
        third = self.length.total_seconds() / 3
        with self._lock:
            due = [run for run, at in self._running.items() if time.monotonic() - at >= third]
        for run_id in due:
            try:
                self._context.runs.extend(run_id, self.holder, self._context.clock.now() + self.length)
            except TemporaryError as error:  # finished this instant, or the database is busy: the next turn sees
                log.warning("a lease was not extended", run=run_id, error=str(error))
                continue
            with self._lock:
                if run_id in self._running:
                    self._running[run_id] = time.monotonic()


def execute(
    context: Context, leases: Leases, job: str, work: Callable[[], object], *, raising: bool = False
) -> str | None:
    """Claim the job's newest waiting run and do it; returns its outcome, None when nothing was waiting.

    raising: pass a fault on once the run is finished, for commands that end with it.
    """
    now = context.clock.now()
    run = context.runs.claim(job, leases.holder, now + leases.length, now)
    if run is None:
        return None
    started = time.monotonic()
    with leases.held(run), structlog.contextvars.bound_contextvars(run=run.id, job=job):
        try:
            outcome, detail, fault = _attempt(work)
        except BaseException:  # the process is told to end: the row must not look as if somebody were at it
            context.runs.finish(run.id, leases.holder, "lost", "interrupted", context.clock.now())
            raise
        context.runs.finish(run.id, leases.holder, outcome, detail, context.clock.now())
    context.meter.job_finished(job, outcome, time.monotonic() - started, context.clock.now())
    if raising and fault is not None:
        raise fault
    return outcome


def tick(context: StoreContext, job: str) -> bool:
    """Put the job's next run into the log; False when another tick was quicker."""
    return context.runs.tick(job, context.runs.last_tick(job) + 1, context.clock.now())


def _attempt(work: Callable[[], object]) -> tuple[str, str, Exception | None]:
    try:
        return "ok", str(work() or ""), None
    except ChildFailed as error:
        log.warning("run failed", error=str(error))
        return ("timed_out" if "deadline" in str(error) else "failed"), str(error), error
    except SidwatchError as error:
        log.warning("run failed", error=str(error))
        return "failed", str(error), error
    except Exception as error:  # the boundary: it is shown and counted
        log.exception("run failed unexpectedly")
        return "failed", f"{type(error).__name__}: {error}", error
