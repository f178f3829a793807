"""Start order, stop order, the watchdog: the one loop that must always turn."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import FrameType

import structlog

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.cycle import CycleReport, run_cycle
from daemon.errors import CorruptArtifact, SidwatchError, TemporaryError
from daemon.evaluate.measuring import evaluate
from daemon.intake.breaker import Breaker
from daemon.intake.taking_in import intake
from daemon.jobs import CYCLE, NOTIFY, intake_job, intervals, pause_of, refuse_paused
from daemon.learn.automatic import JOB, learn_aside
from daemon.learn.importing_export import load_imported, waits_for_gate
from daemon.learn.learning import Challenge, Make, update
from daemon.learn.recalibrating import recalibrate
from daemon.learn.retraining import RETRAININGS, retrain
from daemon.learn.ticketing import watch_tickets
from daemon.model import JobPause, Subject, VersionRecord
from daemon.notify.delivering import deliver
from daemon.promote.judging import judge
from daemon.promote.promoting import promote
from daemon.promote.returning import return_from_damage
from daemon.promote.verdict import Verdict
from daemon.reembed.migrating import step
from daemon.runs import Leases, execute, tick
from daemon.schedule import Schedule
from daemon.service import Service
from daemon.settings import AdapterSettings
from daemon.systemd import tell_manager
from daemon.transitions import note_transitions

log = structlog.get_logger("sidwatch.supervisor")

BEAT = 1.0  # seconds between two turns of the loop
CLOCK_JUMP = 5.0  # seconds by which wall and monotonic time may part before all jobs are rescheduled


@dataclass(frozen=True)
class Job:
    """A named piece of work with an interval; None: it runs when a person asks for it."""

    name: str
    every: timedelta | None
    work: Callable[[], object]
    wake: threading.Event = field(default_factory=threading.Event)


class Interrupted(BaseException):
    """A signal asked a command whose main thread does the work to stop; not an error, so nothing catches it."""


class StopSignals:
    """SIGTERM and SIGINT set `stop`; a second one ends the process at once.

    interrupting: the first one also raises Interrupted in the main thread, for commands that do the work there.
    """

    def __init__(self, *, interrupting: bool = False) -> None:
        self.stop = threading.Event()
        self._interrupting = interrupting

    def install(self) -> None:
        """Take over the signals; only from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stop.is_set():
            os._exit(0)  # the store is safe at any instant; children go with their parent
        self.stop.set()
        if self._interrupting:
            raise Interrupted


class Supervisor:
    """Runs the jobs of the service until told to stop."""

    def __init__(self, context: Context, service: Service, holder: str, stop: threading.Event) -> None:
        self._context = context
        self._service = service
        self._stop = stop
        self._leases = Leases(context, holder)
        self._intake = IntakeCount()
        self._training = threading.Lock()  # one training at a time: each may use all the memory it is allowed
        self._pauses: list[JobPause] = []  # as the page shows them
        self._jobs = {job.name: job for job in self._make_jobs()}

    def run(self) -> bool:
        """Work until stopped, then drain; returns whether everything ended within the drain deadline."""
        self._recover()
        return_from_damage(self._context)  # before anything is read of the champion
        self._service.refresh(restore=True)
        threads = [
            threading.Thread(target=self._serve, args=[job], name=job.name, daemon=True) for job in self._jobs.values()
        ]
        for thread in threads:
            thread.start()
        intervals = {job.name: job.every for job in self._jobs.values() if job.every is not None}
        schedule = Schedule(intervals, self._tick)
        self._service.state = "ready"
        schedule.start()
        log.info("ready", jobs=sorted(self._jobs))
        tell_manager("READY=1")
        self._turn(schedule, threads)
        schedule.stop()
        return self._drain(threads)

    def _turn(self, schedule: Schedule, threads: list[threading.Thread]) -> None:
        clock = self._context.clock  # simulated time moves both hands, and is no jump
        wall, monotonic = clock.now(), clock.monotonic()
        while not self._stop.wait(BEAT):
            self._service.beat()
            tell_manager("WATCHDOG=1")
            self._leases.extend()
            parted = (clock.now() - wall).total_seconds() - (clock.monotonic() - monotonic)
            if abs(parted) > CLOCK_JUMP:
                log.warning("the wall clock was moved; all jobs are rescheduled", seconds=round(parted, 1))
                schedule.realign()
                self._tick_all()
            wall, monotonic = clock.now(), clock.monotonic()
            dead = [thread.name for thread in threads if not thread.is_alive()]
            if dead:
                log.error("a worker died; the service stops", workers=dead)
                self._stop.set()

    def _drain(self, threads: list[threading.Thread]) -> bool:
        self._service.state = "draining"
        tell_manager("STOPPING=1")
        for job in self._jobs.values():
            job.wake.set()
        until = time.monotonic() + self._context.settings.schedule.drain_deadline.total_seconds()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        late = [thread.name for thread in threads if thread.is_alive()]
        if late:
            log.warning("drain deadline reached; unfinished runs are taken up at the next start", jobs=late)
        self._service.state = "stopped"
        return not late

    def _recover(self) -> None:
        """This process holds the state's lock, so whatever is marked running has lost its process."""
        for run in self._context.runs.recover(self._context.clock.now(), holder=self._leases.holder):
            log.warning("a run was lost with its process", lost_job=run.job, started_at=str(run.started_at))

    def _tick_all(self) -> None:
        for job in self._jobs.values():
            if job.every is not None:
                try:
                    self._tick(job.name)
                except TemporaryError as error:
                    log.warning("a tick could not be written; the next one comes", ticked=job.name, error=str(error))

    def _tick(self, name: str) -> None:
        if pause_of(self._context, name) is not None:
            return  # what a person asks for meanwhile waits; of what the clock asks nothing piles up
        tick(self._context, name)
        self._jobs[name].wake.set()

    def _serve(self, job: Job) -> None:
        """The worker of one job: whatever its row says is waiting gets done, one run at a time."""
        while not self._stop.is_set():
            job.wake.wait(timeout=BEAT)
            job.wake.clear()
            try:
                if job.name == CYCLE:
                    self._show_pauses()
                while not self._stop.is_set() and execute(self._context, self._leases, job.name, job.work):
                    self._service.refresh()
            except SidwatchError as error:  # the run log or the snapshot cannot be had now; the worker stays
                log.warning("a worker could not go on; it tries again", worker=job.name, error=str(error))

    def _show_pauses(self) -> None:
        """Commands pause and resume beside this process: page and metrics follow, also while the cycle is paused."""
        pauses = self._context.runs.pauses()
        if pauses != self._pauses:
            self._pauses = pauses
            for pause in pauses:
                log.warning("a job is paused", paused_job=pause.job, by=pause.actor, until=str(pause.until))
            self._service.refresh()

    def _make_jobs(self) -> list[Job]:
        settings = self._context.settings
        works: dict[str, Callable[[], object]] = {
            CYCLE: self._cycle,
            "update": lambda: run_update(self._context),
            "recalibrate": lambda: run_update(self._context, "recalibrate"),
            **{name: partial(self._retrain, name) for name in RETRAININGS},
            JOB: self._retrain_due,
            "reembed": lambda: migrate(self._context),
            "gate_imports": lambda: gate_imports(self._context),
            NOTIFY: lambda: f"{deliver(self._context)} sent",
            **{intake_job(adapter.name): self._poll(adapter) for adapter in settings.adapters if adapter.enabled},
        }
        return [Job(name, every, works[name]) for name, every in intervals(settings).items()]

    def _poll(self, adapter: AdapterSettings) -> Callable[[], object]:
        samples, clock = self._context.samples, self._context.clock

        def note(failures: int, pause: timedelta, why: str) -> None:
            try:
                samples.note_failure(adapter.name, failures, clock.now() + pause if pause else None, why[:500])
            except TemporaryError as error:  # the poll's own error says more
                log.warning("a failed poll could not be noted", adapter=adapter.name, error=str(error))

        breaker = Breaker(adapter.every, clock.monotonic, samples.failures(adapter.name), note)

        def poll() -> str:
            with self._intake, breaker.guard():
                offered = intake(self._context, adapter)
            if offered:
                self._tick("cycle")
            return f"{offered} delivered"

        return poll

    def _tell(self) -> None:
        if NOTIFY in self._jobs:
            self._tick(NOTIFY)  # a job of its own: a mail server never holds up a cycle

    def _retrain(self, job: str) -> object:
        with self._training:
            return run_update(self._context, job)

    def _retrain_due(self) -> object:
        with self._training:
            return run_due(self._context)

    def _ask_to_retrain(self) -> None:
        """Once: what waits or runs already sees for itself what is due."""
        if not any(run.job == JOB and run.state in ("waiting", "running") for run in self._context.runs.latest()):
            self._tick(JOB)

    def _cycle(self) -> object:
        # The first champion waits until the first deliveries are in: half a family is a poor teacher.
        report = run_cycle(
            self._context,
            may_learn=lambda: self._context.registry.champion() is not None or self._intake.none,
            aside=self._ask_to_retrain,
            noticed=self._service.refresh,
            handed_over=self._tell,
        )
        self._context.clock.after_cycle()
        if report.told:
            self._tell()
        if self._context.migrations.active() is not None:
            self._tick("reembed")  # a job of its own: the second encoder never holds up a cycle
        return report


class IntakeCount:
    """How many polls are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @property
    def none(self) -> bool:
        """Whether no poll is under way."""
        return self._count == 0

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._count -= 1


def run_until_idle(context: Context, service: Service, holder: str, stop: threading.Event) -> int:
    """Poll every adapter and turn the cycle until nothing is left to do; returns the number of cycles.

    Faults are not swallowed here: what a poll or a stage raises ends the command.
    """
    context.runs.recover(context.clock.now(), holder=holder)
    return_from_damage(context)
    service.refresh(restore=True)
    service.state = "ready"
    leases = Leases(context, holder)
    cycles = 0
    while not stop.is_set():
        report = run_one_cycle(context, leases)
        _deliver_unless_paused(context)
        moved = migrate_once(context, leases)
        service.refresh()
        cycles += 1
        if report.idle and not moved:
            break
    _deliver_unless_paused(context)
    return cycles


def _deliver_unless_paused(context: Context) -> None:
    if pause_of(context, NOTIFY) is None:
        deliver(context)


Turn = Callable[[Context, Sequence[AdapterSettings]], CycleReport]  # one pass over these adapters


def run_one_cycle(context: Context, leases: Leases, turn: Turn = run_cycle) -> CycleReport:
    """One whole cycle in this thread, intake of every adapter included, recorded as a run.

    turn: the cycle, or one that a back-test's policy learns otherwise in.
    """
    refuse_paused(context, CYCLE)
    adapters = [adapter for adapter in context.settings.adapters if adapter.enabled and _may_poll(context, adapter)]
    reports: list[CycleReport] = []

    def work() -> CycleReport:
        reports.append(turn(context, adapters))
        return reports[0]

    tick(context, "cycle")
    execute(context, leases, "cycle", work, raising=True)
    context.clock.after_cycle()
    return reports[0]


def _may_poll(context: Context, adapter: AdapterSettings) -> bool:
    pause = pause_of(context, intake_job(adapter.name))
    if pause is not None:
        log.warning("an adapter is left out, its job is paused", adapter=adapter.name, by=pause.actor, why=pause.reason)
    return pause is None


def migrate_once(context: Context, leases: Leases) -> bool:
    """One step of the migration under way in this thread, recorded as a run; False when there is none."""
    if context.migrations.active() is None or pause_of(context, "reembed") is not None:
        return False
    tick(context, "reembed")
    execute(context, leases, "reembed", lambda: migrate(context), raising=True)
    return True


def migrate(context: Context) -> str:
    """The `reembed` job: one step of the migration under way."""
    found = step(context)
    if found is None:
        return "no migration is under way"
    counts = context.migrations.counts(found.id)
    return f"migration {found.id}: {found.state}, {counts.embedded} embedded, {counts.waiting} waiting"


@dataclass(frozen=True, slots=True)
class UpdateOutcome:
    """What became of an `update`."""

    text: str
    version: str | None = None  # the challenger; None: nothing new was learned, or a service was asked
    decision: str | None = None  # promote, hold, reject, or wait: it passed the gate and a person decides

    def __str__(self) -> str:
        return self.text


def run_update(context: Context, job: str = "update") -> UpdateOutcome:
    """The job `update`, `recalibrate`, or one of RETRAININGS: a challenger through the gate."""
    learners: dict[str, Callable[[Context], Challenge | None]] = {"update": update, "recalibrate": recalibrate}
    challenge = learners[job](context) if job in learners else retrain(context, job)
    return _outcome(context, challenge)


def gate_imports(context: Context) -> UpdateOutcome:
    """The `gate_imports` job: imported challengers pass through the gate; says what became of the last.

    One that was compared with a champion that is gone by then stays a challenger, to be promoted by hand. One that is
    damaged is rejected: it would be in the way of all that come after it.
    """
    outcome = UpdateOutcome("no imported version waits for the gate")
    for record in waits_for_gate(context):
        champion = context.registry.champion()
        if champion is None or champion.id != record.parent:
            continue
        try:
            version = load_imported(context.registry, record)
        except CorruptArtifact as error:
            outcome = _turned_down(context, record, f"it cannot be judged: {error}")
            continue
        outcome = _outcome(context, update(context, _as_it_is(version)))
    return outcome


def _turned_down(context: Context, record: VersionRecord, reason: str) -> UpdateOutcome:
    verdict = Verdict("reject", reason, ()).to_dict()
    context.registry.record_verdict(record.id, "rejected", verdict, "gate", reason, context.clock.now())
    return UpdateOutcome(f"{record.id}: reject: {reason}", record.id, "reject")


def _as_it_is(version: LoadedVersion) -> Make:
    def make(context: Context, champion: LoadedVersion | None, triggers: tuple[Subject, ...]) -> LoadedVersion:
        return version

    return make


def _outcome(context: Context, challenge: Challenge | None) -> UpdateOutcome:
    if challenge is None:
        return UpdateOutcome("nothing new was learned since the last version")
    return _decided(context, challenge)


def run_due(context: Context) -> UpdateOutcome:
    """The job of learners that train: the attempt that is due, through the gate."""
    challenge = learn_aside(context)
    return UpdateOutcome("nothing is due") if challenge is None else _decided(context, challenge)


def _decided(context: Context, challenge: Challenge) -> UpdateOutcome:
    verdict = judge(context, challenge)
    became = promote(context, challenge, verdict)
    evaluate(context)  # a new champion is never without figures
    note_transitions(context)
    watch_tickets(context)
    version = challenge.version.record.id
    return UpdateOutcome(f"{version}: {became}: {verdict.reason}", version, became)
