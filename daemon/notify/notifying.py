"""Notify: events wait in the store until they were sent; a repeat after a crash carries the same key."""

from __future__ import annotations

import structlog

from daemon.context import Context
from daemon.errors import TemporaryError
from daemon.model import Event

log = structlog.get_logger("sidwatch.events")


def notify(context: Context) -> int:
    """Send what was not sent yet, oldest first; returns how many. What fails stays for the next cycle."""
    sent = 0
    for event in context.samples.unsent_events():
        try:
            context.notifier.send(event)
        except TemporaryError as error:
            context.meter.notification_failed()
            log.warning("notification failed; it will be tried again", event_key=event.key, error=str(error))
            break
        assert event.id is not None
        context.samples.mark_sent([event.id], context.clock.now())
        sent += 1
    return sent


class LogNotifier:
    """Writes events to the log: the notifier that is always there."""

    def send(self, event: Event) -> None:
        log.info(
            event.text, kind=event.kind, key=event.key, **{f"about_{key}": value for key, value in event.data.items()}
        )
