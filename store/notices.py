"""Notices of promotions for the webhook: an outbox, filled in the promotion's own transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update

from daemon.model import PromotionNotice
from daemon.notify.notices import LONGEST_WAIT, Notice
from store import tables as t


def add_notice(connection: Connection, notice: Notice) -> None:
    """Let the webhook hear of it, in the caller's transaction."""
    connection.execute(
        insert(t.promotion_notice).values(
            audit_number=notice.audit_number,
            event_id=notice.event_id,
            body=notice.body,
            state="waiting",
            attempts=0,
            next_at=notice.at,
            error="",
        )
    )


def due_notices(connection: Connection, now: datetime, limit: int) -> list[PromotionNotice]:
    """What waits and is due, oldest first."""
    n = t.promotion_notice.c
    # Nothing waits longer than a day: what seems to was noted before the clock was set back.
    due = or_(n.next_at <= now, n.next_at > now + LONGEST_WAIT)
    query = select(n.event_id, n.body, n.attempts).where(n.state == "waiting", due)
    return [PromotionNotice(*row) for row in connection.execute(query.order_by(n.audit_number).limit(limit))]


def note_delivered(connection: Connection, event_id: str, at: datetime) -> None:
    """The webhook took it; the first time stays."""
    n = t.promotion_notice.c
    connection.execute(
        update(t.promotion_notice)
        .where(n.event_id == event_id, n.state == "waiting")
        .values(state="delivered", delivered_at=at, error="")
    )


def note_failed(connection: Connection, event_id: str, error: str, next_at: datetime) -> None:
    """One attempt more in vain; it is due again at `next_at`."""
    n = t.promotion_notice.c
    connection.execute(
        update(t.promotion_notice)
        .where(n.event_id == event_id, n.state == "waiting")
        .values(attempts=n.attempts + 1, next_at=next_at, error=error)
    )


def skip_waiting(connection: Connection) -> int:
    """Nobody is to be told of what waits; returns how many notices that were."""
    n = t.promotion_notice.c
    return connection.execute(update(t.promotion_notice).where(n.state == "waiting").values(state="skipped")).rowcount
