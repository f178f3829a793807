"""Messages for people outside, kept until they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, case, func, insert, select, update

from daemon.model import OutboxCounts, OutboxMessage, OutboxRow, Subject
from store import tables as t
from store.database import chunks
from store.parts import Part, subject_kind, subject_name, with_subject


class Outbox(Part):
    """Writes and reads messages, and names the pictures that go with them."""

    def hand_over(self, event_id: int, messages: Sequence[OutboxMessage], at: datetime) -> None:
        """The event was told: its messages go into the outbox and it is marked, in one transaction; once."""
        e = t.event.c
        with self._database.write(durable=True) as connection:
            marked = update(t.event).where(e.id == event_id, e.sent_at.is_(None)).values(sent_at=at)
            if connection.execute(marked).rowcount == 0 or not messages:
                return
            rows = [{**message._asdict(), "event_id": event_id, "created_at": at} for message in messages]
            connection.execute(insert(t.outbox), [{**row, "attempts": 0, "error": ""} for row in rows])

    def outbox(self, channels: Sequence[str]) -> list[OutboxRow]:
        """What waits to be sent on these channels, oldest first."""
        o = t.outbox.c
        query = (
            select(o.id, o.channel, o.recipient, o.message, o.attempts, o.next_attempt_at)
            .where(o.sent_at.is_(None), o.channel.in_(channels))
            .order_by(o.id)
        )
        with self._database.read() as connection:
            return [OutboxRow(*row) for row in connection.execute(query)]

    def outbox_sent(self, row_id: int, at: datetime) -> None:
        """It was taken; the first time stays."""
        o = t.outbox.c
        with self._database.write(durable=True) as connection:
            connection.execute(update(t.outbox).where(o.id == row_id, o.sent_at.is_(None)).values(sent_at=at))

    def outbox_failed(self, row_id: int, error: str, attempts: int, next_attempt_at: datetime) -> None:
        """It was not taken; `attempts` with this one."""
        values = {"error": error, "attempts": attempts, "next_attempt_at": next_attempt_at}
        with self._database.write() as connection:
            connection.execute(update(t.outbox).where(t.outbox.c.id == row_id).values(values))

    def outbox_counts(self) -> list[OutboxCounts]:
        """Every channel that ever had a message, by name."""
        o = t.outbox.c
        waits = o.sent_at.is_(None)
        newest_failure = select(func.max(o.id)).where(waits, o.error != "").group_by(o.channel)
        query = (
            select(
                o.channel,
                func.sum(case((waits, 1), else_=0)),
                func.min(case((waits, o.created_at))),
                func.sum(case((waits, 0), else_=1)),
                func.sum(o.attempts),
            )
            .group_by(o.channel)
            .order_by(o.channel)
        )
        with self._database.read() as connection:
            failed = select(o.channel, o.error).where(o.id.in_(newest_failure))
            errors = {row.channel: row.error for row in connection.execute(failed)}
            return [OutboxCounts(*row, error=errors.get(row[0], "")) for row in connection.execute(query)]

    def picture_names(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """Sample id -> sha256 of those that are active and whose picture is kept."""
        s = t.sample.c
        found: dict[int, str] = {}
        with self._database.read() as connection:
            for ids in chunks(sample_ids):
                query = select(s.id, s.sha256).where(s.id.in_(ids), s.state == "active", s.has_blob)
                found |= {row[0]: row[1] for row in connection.execute(query)}
        return found

    def newest_pictures(self, subject: Subject, limit: int) -> list[str]:
        """sha256 of a family's or real source's newest active samples whose picture is kept, newest first."""
        s = t.sample.c
        query = (
            select(s.sha256)
            .select_from(with_subject())
            .where(
                and_(subject_kind == subject.kind, subject_name == subject.name),
                s.label.is_not(None),
                s.state == "active",
                s.has_blob,
            )
            .order_by(s.delivered_at.desc(), s.sha256)
            .limit(limit)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())
