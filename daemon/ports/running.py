"""Time, the log of runs, files made from others, what is told outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from daemon.model import Event, JobPause, Run

if TYPE_CHECKING:
    from daemon.notify.message import Message, Picture

Progress = Callable[[str, int, int], None]  # (what, done, total; 0: unknown)


class Clock(Protocol):
    """Wall time and monotonic time; a simulated one drives tests, the demo and back-tests."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def after_cycle(self) -> None:
        """Called after every cycle; simulated time moves on here."""
        ...


class RunLog(Protocol):
    """The record of what ran: ticks become rows, rows are claimed with a lease and finished with an outcome."""

    def tick(self, job: str, tick: int, due_at: datetime) -> bool:
        """Insert a waiting run, unique on (job, tick); False when it was there."""
        ...

    def last_tick(self, job: str) -> int: ...
    def claim(self, job: str, holder: str, lease_until: datetime, at: datetime) -> Run | None:
        """Claim the newest waiting run of the job; older waiting ones are finished as `skipped` (coalesced).

        None when nothing waits, the job is held by a live lease, or it is paused.
        """
        ...

    def ask(self, job: str, actor: str, reason: str, at: datetime) -> None:
        """Insert a waiting run that a person asked for; audited."""
        ...

    def pause(self, pause: JobPause) -> None:
        """Let no run of the job be claimed while it holds, in place of what held before; audited."""
        ...

    def resume(self, job: str, actor: str, reason: str, at: datetime) -> bool:
        """End the pause of a job; audited. False when none holds."""
        ...

    def pauses(self) -> list[JobPause]:
        """The newest pause of each job, by job name, one that is over too."""
        ...

    def extend(self, run_id: int, holder: str, lease_until: datetime) -> None: ...
    def finish(self, run_id: int, holder: str, outcome: str, detail: str, at: datetime) -> None: ...
    def recover(self, at: datetime, *, holder: str | None = None) -> list[Run]:
        """Finish as `lost` every running row whose lease expired (all of them when the state lock is held: holder)."""
        ...

    def latest(self) -> list[Run]:
        """The newest run of each job."""
        ...

    def under_way(self) -> list[Run]:
        """The runs that somebody is working on."""
        ...

    def counts(self) -> dict[tuple[str, str], int]:
        """(job, outcome) -> how many."""
        ...


class DerivedFiles(Protocol):
    """What can be computed again, kept to save time."""

    def get(self, kind: str, key: str) -> bytes | None: ...
    def put(self, kind: str, key: str, content: bytes) -> None: ...


class Channel(Protocol):
    """A way to people outside."""

    @property
    def name(self) -> str: ...
    @property
    def recipients(self) -> tuple[str, ...]:
        """Each is sent to, and waits, by itself."""
        ...

    @property
    def kinds(self) -> tuple[str, ...] | None:
        """Kinds of events that it tells of; None: one message for every change of state, decision and alarm."""
        ...

    def send(self, message: Message, pictures: Sequence[Picture], recipient: str) -> None:
        """Send it with what is attached to it; returns once it was taken. Raises TemporaryError when it was not."""
        ...


class Notifier(Protocol):
    """Tells people."""

    def send(self, event: Event) -> None: ...


class Meter(Protocol):
    """Counts what happens; `daemon.telemetry` exports it."""

    def sample_ingested(self, adapter: str, count: int) -> None: ...
    def rejected(self, adapter: str, reason: str, count: int) -> None: ...
    def quarantined(self, adapter: str, reason: str, count: int) -> None: ...
    def fetch(self, adapter: str, seconds: float) -> None: ...
    def pictures_encoded(self, count: int) -> None: ...
    def notification_failed(self, channel: str) -> None: ...
    def job_finished(self, job: str, outcome: str, seconds: float, at: datetime) -> None: ...
