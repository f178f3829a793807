"""The run log: `daemon.ports.RunLog`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update

from daemon.errors import BadInputError, NotFoundError, TemporaryError
from daemon.model import JobPause, Run
from store import tables as t
from store.audit import append
from store.database import Database

OUTCOMES = ("ok", "failed", "timed_out", "lost", "skipped")


class SqlRunLog:
    """Ticks become rows, rows are claimed with a lease and finished with an outcome."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tick(self, job: str, tick: int, due_at: datetime) -> bool:
        """Insert a waiting run, unique on (job, tick); False when it was there."""
        r = t.run.c
        with self._database.write() as connection:
            if connection.execute(select(r.id).where(r.job == job, r.tick == tick)).first() is not None:
                return False
            connection.execute(insert(t.run).values(job=job, tick=tick, state="waiting", due_at=due_at))
            return True

    def last_tick(self, job: str) -> int:
        """The highest tick number of the job; 0 before the first."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(t.run.c.tick)).where(t.run.c.job == job)).scalar() or 0

    def claim(self, job: str, holder: str, lease_until: datetime, at: datetime) -> Run | None:
        """Claim the newest waiting run of the job; older waiting ones are finished as `skipped` (coalesced).

        None when nothing waits, while the job is paused, or while a run of it is held under a live lease: a job never
        runs twice at once.
        """
        r = t.run.c
        with self._database.write() as connection:
            held = select(r.id).where(r.job == job, r.state == "running", r.lease_until > at)
            if connection.execute(held).first() is not None:
                return None
            if _paused(connection, job, at):
                return None
            waiting = select(r.id).where(r.job == job, r.state == "waiting").order_by(r.tick.desc())
            newest, *older = connection.execute(waiting).scalars().all() or [None]
            if newest is None:
                return None
            if older:
                connection.execute(
                    update(t.run)
                    .where(r.job == job, r.state == "waiting", r.id != newest)
                    .values(state="finished", outcome="skipped", finished_at=at, detail="a newer tick was due")
                )
            connection.execute(
                update(t.run)
                .where(r.id == newest)
                .values(state="running", holder=holder, lease_until=lease_until, started_at=at)
            )
            return _run(connection, newest)

    def ask(self, job: str, actor: str, reason: str, at: datetime) -> None:
        """Insert a waiting run that a person asked for, and note it in the audit."""
        r = t.run.c
        with self._database.write() as connection:
            last = connection.execute(select(func.max(r.tick)).where(r.job == job)).scalar() or 0
            connection.execute(insert(t.run).values(job=job, tick=last + 1, state="waiting", due_at=at))
            _audit(connection, "job_asked_for", job, actor, reason, at)

    def pause(self, pause: JobPause) -> None:
        """No run of the job is claimed while it holds; it replaces what held before, and is in the audit."""
        with self._database.write() as connection:
            connection.execute(delete(t.job_pause).where(t.job_pause.c.job == pause.job))
            connection.execute(insert(t.job_pause).values({name: getattr(pause, name) for name in JobPause.__slots__}))
            until = None if pause.until is None else pause.until.isoformat()
            _audit(connection, "job_paused", pause.job, pause.actor, pause.reason, pause.at, until=until)

    def resume(self, job: str, actor: str, reason: str, at: datetime) -> bool:
        """End the pause of a job, and note it in the audit; False when none holds."""
        with self._database.write() as connection:
            held = _paused(connection, job, at)
            connection.execute(delete(t.job_pause).where(t.job_pause.c.job == job))
            if held:
                _audit(connection, "job_resumed", job, actor, reason, at)
            return held

    def pauses(self) -> list[JobPause]:
        """The newest pause of each job, by job name, one that is over too."""
        columns = [t.job_pause.c[name] for name in JobPause.__slots__]
        with self._database.read() as connection:
            return [JobPause(*row) for row in connection.execute(select(*columns).order_by(t.job_pause.c.job))]

    def extend(self, run_id: int, holder: str, lease_until: datetime) -> None:
        """A longer lease. Raises TemporaryError when the run is not held by `holder` any more."""
        with self._database.write() as connection:
            _held(connection, run_id, holder)
            connection.execute(update(t.run).where(t.run.c.id == run_id).values(lease_until=lease_until))

    def finish(self, run_id: int, holder: str, outcome: str, detail: str, at: datetime) -> None:
        """Finish a run; the same outcome again changes nothing.

        Raises TemporaryError when the run is not held by `holder` any more (it was lost, or is another's).
        """
        if outcome not in OUTCOMES:
            raise BadInputError(f"a run ends {', '.join(OUTCOMES)}, not {outcome}")
        with self._database.write() as connection:
            run = _run(connection, run_id)
            if (run.state, run.holder, run.outcome) == ("finished", holder, outcome):
                return
            _end(connection, _held(connection, run_id, holder), outcome, detail, at)

    def recover(self, at: datetime, *, holder: str | None = None) -> list[Run]:
        """Finish as `lost` every running row whose lease expired.

        With `holder`, the process that just took the state lock: every running row, for whoever ran it is gone.
        """
        r = t.run.c
        query = select(r.id).where(r.state == "running").order_by(r.id)
        if holder is None:
            query = query.where(r.lease_until <= at)
        detail = "its lease expired" if holder is None else f"found by {holder} at start"
        with self._database.write() as connection:
            ids = connection.execute(query).scalars().all()
            for run_id in ids:
                _end(connection, _run(connection, run_id), "lost", detail, at)
            return [_run(connection, run_id) for run_id in ids]

    def latest(self) -> list[Run]:
        """The newest run of each job, by job name."""
        inner = select(t.run.c.job, func.max(t.run.c.tick).label("tick")).group_by(t.run.c.job).subquery()
        query = (
            _select().join(inner, (inner.c.job == t.run.c.job) & (inner.c.tick == t.run.c.tick)).order_by(t.run.c.job)
        )
        with self._database.read() as connection:
            return [Run(*row) for row in connection.execute(query)]

    def under_way(self) -> list[Run]:
        """The runs that somebody is working on; a newer tick of their jobs may wait already."""
        with self._database.read() as connection:
            query = _select().where(t.run.c.state == "running").order_by(t.run.c.job, t.run.c.tick)
            return [Run(*row) for row in connection.execute(query)]

    def counts(self) -> dict[tuple[str, str], int]:
        """(job, outcome) -> how many."""
        r = t.run.c
        query = select(r.job, r.outcome, func.count()).where(r.outcome.is_not(None)).group_by(r.job, r.outcome)
        with self._database.read() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _paused(connection: Connection, job: str, at: datetime) -> bool:
    p = t.job_pause.c
    found = select(p.job).where(p.job == job, or_(p.until.is_(None), p.until > at))
    return connection.execute(found).first() is not None


def _audit(
    connection: Connection, action: str, job: str, actor: str, reason: str, at: datetime, **more: str | None
) -> None:
    append(
        connection,
        at=at,
        actor=actor,
        action=action,
        version=None,
        previous=None,
        reason=reason,
        payload={"job": job, **more},
    )


def _select() -> Select[Any]:
    return select(*(t.run.c[name] for name in Run.__slots__))


def _run(connection: Connection, run_id: int) -> Run:
    row = connection.execute(_select().where(t.run.c.id == run_id)).first()
    if row is None:
        raise NotFoundError(f"there is no run {run_id}")
    return Run(*row)


def _held(connection: Connection, run_id: int, holder: str) -> Run:
    run = _run(connection, run_id)
    if run.state != "running" or run.holder != holder:
        raise TemporaryError(f"run {run_id} of {run.job} is not held by {holder} (it is {run.outcome or run.state})")
    return run


def _end(connection: Connection, run: Run, outcome: str, detail: str, at: datetime) -> None:
    # The wall clock may have been set back since the start: no run has a negative duration.
    finished_at = at if run.started_at is None else max(at, run.started_at)
    connection.execute(
        update(t.run)
        .where(t.run.c.id == run.id)
        .values(state="finished", outcome=outcome, detail=detail, finished_at=finished_at)
    )
