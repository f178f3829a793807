"""Events for people, kept until they were sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, insert, select, update

from daemon.model import Event
from store import tables as t
from store.database import chunks
from store.parts import Part


class Events(Part):
    """Writes and reads events."""

    def add_event(self, event: Event) -> None:
        """Store the event, once per `key`."""
        with self._database.write() as connection:
            insert_event(connection, event)

    def unsent_events(self) -> list[Event]:
        """Events that were not sent, oldest first."""
        return self._select(select(t.event).where(t.event.c.sent_at.is_(None)).order_by(t.event.c.id))

    def mark_sent(self, event_ids: Sequence[int], at: datetime) -> None:
        """These were sent; the first time of sending stays."""
        e = t.event.c
        with self._database.write() as connection:
            for part in chunks(event_ids):
                connection.execute(update(t.event).where(e.id.in_(part), e.sent_at.is_(None)).values(sent_at=at))

    def events(self, limit: int) -> list[Event]:
        """The newest events, newest first."""
        return self._select(select(t.event).order_by(t.event.c.id.desc()).limit(limit))

    def events_since(self, at: datetime) -> list[Event]:
        """The events of that time and later, oldest first."""
        return self._select(select(t.event).where(t.event.c.at >= at).order_by(t.event.c.id))

    def last_event(self, kind: str) -> Event | None:
        """The newest event of that kind; None: there was none."""
        e = t.event.c
        found = self._select(select(t.event).where(e.kind == kind).order_by(e.id.desc()).limit(1))
        return found[0] if found else None

    def _select(self, query: Select[tuple[object, ...]]) -> list[Event]:
        with self._database.read() as connection:
            return [Event(row.id, row.key, row.kind, row.at, row.text, row.data) for row in connection.execute(query)]


def insert_event(connection: Connection, event: Event) -> None:
    """Store the event in the caller's transaction, once per `key`."""
    if connection.execute(select(t.event.c.id).where(t.event.c.key == event.key)).first() is None:
        connection.execute(
            insert(t.event).values(key=event.key, kind=event.kind, at=event.at, text=event.text, data=event.data)
        )
