"""What `sidwatch jobs` does: one function for each command; printing is theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from daemon.app import is_running, open_for, opened, read_status
from daemon.jobs import Jobs, described, intervals
from daemon.settings import Settings
from daemon.units import format_duration


def job_rows(settings: Settings) -> list[dict[str, Any]]:
    """Every job with its interval, its newest run, and the pause that holds it."""
    known = intervals(settings)
    with open_for(settings, read_only=True) as store:
        runs = {run.job: run for run in (*store.runs.latest(), *store.runs.under_way())}
        pauses = {pause.job: pause for pause in store.runs.pauses()}
    now = read_status(settings).service.now
    held = {job: described(pause) for job, pause in pauses.items() if pause.holds(now)}
    names = sorted({*known, *held})
    rows = []
    for name in names:
        run, every = runs.get(name), known.get(name)
        rows.append(
            {
                "job": name,
                "configured": name in known,
                "every": None if every is None else format_duration(every),
                "state": run.state if run else "never ran",
                "outcome": run.outcome if run else None,
                "due_at": run.due_at if run else None,
                "finished_at": run.finished_at if run else None,
                "detail": run.detail if run else "",
                "paused": held.get(name),
            }
        )
    return rows


def run_job(settings: Settings, job: str, actor: str, reason: str) -> dict[str, Any]:
    """Put a run of a job in line: for the service that runs on this state, or for the next."""
    with opened(settings, encoder=False, lock=False) as state:
        Jobs(state.context).run(job, actor, reason)
    who = "the running service does it now" if is_running(settings) else "no service runs: the next that starts does it"
    return {"job": job, "outcome": f"{job} is in line; {who}"}


def pause_job(settings: Settings, job: str, length: timedelta | None, actor: str, reason: str) -> dict[str, Any]:
    """Let no run of a job begin for so long, or until it is resumed; it outlasts a restart."""
    with opened(settings, encoder=False, lock=False) as state:
        pause = Jobs(state.context).pause(job, length, actor, reason)
    return {"job": job, "until": pause.until, "outcome": f"{job} is {described(pause)}"}


def resume_job(settings: Settings, job: str, actor: str, reason: str) -> dict[str, Any]:
    """End a pause."""
    with opened(settings, encoder=False, lock=False) as state:
        Jobs(state.context).resume(job, actor, reason)
    return {"job": job, "outcome": f"{job} is no longer paused"}
