"""Deliver: what waits in the outbox is sent, oldest first; what fails is tried again, later each time, for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from daemon.context import Context
from daemon.errors import TemporaryError
from daemon.failpoints import failpoint
from daemon.model import OutboxRow
from daemon.notify.examples import small_copies
from daemon.notify.message import Message, Picture
from daemon.ports import Channel

log = structlog.get_logger("sidwatch.notify")

FIRST_WAIT: Final = timedelta(seconds=10)  # after the first failure; doubled after each further one
LONGEST_WAIT: Final = timedelta(hours=1)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts.

    >>> [int(wait_after(n).total_seconds()) for n in (1, 2, 3, 20)]
    [10, 20, 40, 3600]
    """
    return min(FIRST_WAIT * (1 << min(attempts - 1, 20)), LONGEST_WAIT)


def is_due(row: OutboxRow, now: datetime) -> bool:
    """Whether a message may be tried again; a wall clock that was set back does not make it wait for longer."""
    return row.next_attempt_at is None or not now < row.next_attempt_at <= now + LONGEST_WAIT


def deliver(context: Context) -> int:
    """Send what is due on every channel; returns how many messages were taken.

    Order is kept per recipient: behind a message that waits nothing newer is sent to them. Recorded as sent only after
    the channel took it: a kill in between sends it once more, under the same id.
    """
    channels = {channel.name: channel for channel in context.channels}
    sent, behind = 0, set()
    for row in context.samples.outbox(list(channels)):
        lane = (row.channel, row.recipient)
        if lane in behind:
            continue
        if not (is_due(row, context.clock.now()) and _send(context, channels[row.channel], row)):
            behind.add(lane)
            continue
        sent += 1
    return sent


def _send(context: Context, channel: Channel, row: OutboxRow) -> bool:
    message = Message.from_json(row.message)
    pictures: Sequence[Picture] = small_copies(context, message.examples)
    try:
        channel.send(message, pictures, row.recipient)
    except TemporaryError as error:
        attempts = row.attempts + 1
        at = context.clock.now() + wait_after(attempts)
        context.samples.outbox_failed(row.id, str(error), attempts, at)
        log.warning(
            "a notification failed; it will be tried again",
            channel=row.channel, attempts=attempts, message=message.id, next=at.isoformat(), error=str(error),
        )  # fmt: skip
        return False
    failpoint("outbox.taken")
    context.samples.outbox_sent(row.id, context.clock.now())
    log.info("a notification was sent", channel=row.channel, message=message.id, kind=message.kind)
    return True
