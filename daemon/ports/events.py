"""What happened, and the messages about it that wait to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from daemon.model import Event, OutboxCounts, OutboxMessage, OutboxRow, Subject


class EventStore(Protocol):
    """What happened, and the messages about it that wait to be sent."""

    def add_event(self, event: Event) -> None:
        """Once per `key`."""
        ...

    def unsent_events(self) -> list[Event]: ...
    def mark_sent(self, event_ids: Sequence[int], at: datetime) -> None: ...
    def hand_over(self, event_id: int, messages: Sequence[OutboxMessage], at: datetime) -> None:
        """The event was told: its messages go into the outbox and it is marked, in one transaction; once."""
        ...

    def outbox(self, channels: Sequence[str]) -> list[OutboxRow]:
        """What waits to be sent on these channels, oldest first."""
        ...

    def outbox_sent(self, row_id: int, at: datetime) -> None: ...
    def outbox_failed(self, row_id: int, error: str, attempts: int, next_attempt_at: datetime) -> None: ...
    def outbox_counts(self) -> list[OutboxCounts]:
        """Every channel that ever had a message, by name."""
        ...

    def picture_names(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """Sample id -> sha256 of those that are active and whose picture is kept."""
        ...

    def newest_pictures(self, subject: Subject, limit: int) -> list[str]:
        """sha256 of a family's or real source's newest active samples whose picture is kept, newest first."""
        ...

    def events(self, limit: int) -> list[Event]: ...
    def events_since(self, at: datetime) -> list[Event]: ...
    def last_event(self, kind: str) -> Event | None: ...
