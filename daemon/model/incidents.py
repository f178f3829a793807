"""Alarms, episodes, and what people are told of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

Handling = Literal["open", "acknowledged", "snoozed"]
AlarmKind = Literal["real_pool_shift", "novel_family", "pipeline_fault", "not_learned", "stale", "insufficient"]
ALARM_KINDS: tuple[AlarmKind, ...] = get_args(AlarmKind)
HANDLINGS: tuple[Handling, ...] = ("open", "acknowledged", "snoozed")
OPEN_STATES: tuple[str, ...] = ("alarmed", "learned")  # of an episode; the others: recovered, closed


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that is not one family's or real source's own; `state` is numbers and names, as JSON."""

    kind: AlarmKind
    about: str  # the batch source, family or adapter; "" for the whole service
    version: str  # the champion it is judged against; "" where there is none in it
    state: dict[str, object]
    log10_evidence: float | None  # None: it is a fact, not a proof
    log10_alarm: float | None  # the evidence at which it is raised
    raised_at: datetime | None  # since when it stands; None: it does not
    text: str = ""  # one line for a person


@dataclass(frozen=True, slots=True)
class Episode:
    """One family's incident, from its first vote to its recovery."""

    id: int | None
    family: str
    state: str  # alarmed, learned, recovered, closed
    champion: str  # the version that it evaded
    opened_at: datetime
    alarmed_at: datetime
    samples_to_alarm: int
    ap_before: float | None
    auroc_before: float | None
    version: str | None = None  # the version that learned it
    learned_at: datetime | None = None
    ap_after: float | None = None
    samples_after: int = 0
    recovered_at: datetime | None = None
    note: str = ""
    # What people did about it; the service never writes these, so that it cannot write over a person's word.
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    snoozed_until: datetime | None = None
    closed_at: datetime | None = None  # by a person

    @property
    def open(self) -> bool:
        """Whether it still wants something."""
        return self.state in OPEN_STATES

    def handling(self, now: datetime) -> Handling:
        """What people did about it: a snooze that is not over goes before an acknowledgement."""
        if self.snoozed_until is not None and self.snoozed_until > now:
            return "snoozed"
        return "open" if self.acknowledged_at is None else "acknowledged"


@dataclass(frozen=True, slots=True)
class Event:
    """Something people may want to hear of; kept until it was sent."""

    id: int | None
    key: str  # stable identity: the same happening is stored once
    kind: str  # champion_promoted, family_evades, family_recovered, update_held, ...
    at: datetime
    text: str  # one line for a person
    data: dict[str, object]


class OutboxMessage(NamedTuple):
    """A message for one recipient of one channel, before it is in the outbox."""

    channel: str
    recipient: str  # "" where the channel has but one
    message: dict[str, Any]  # `daemon.notify.message.Message`


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that waits to be sent."""

    id: int
    channel: str
    recipient: str
    message: dict[str, Any]
    attempts: int  # that failed
    next_attempt_at: datetime | None  # None: it was never tried


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """One channel's messages."""

    channel: str
    waiting: int
    oldest: datetime | None  # since when the oldest of them waits
    sent: int
    failures: int  # attempts that failed
    error: str  # of the last failure of a waiting message
