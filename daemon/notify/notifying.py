"""Notify: events wait in the store until they were sent; a repeat after a crash carries the same key."""

from __future__ import annotations

import structlog

from daemon.context import Context
from daemon.errors import TemporaryError
from daemon.model import Event

# Action in the audit -> (kind of event, how people say it).
KINDS = {
    "promote": ("champion_promoted", "promoted"),
    "rollback": ("champion_rolled_back", "brought back"),
    "hold": ("update_held", "held"),
    "reject": ("update_rejected", "rejected"),
    "wait": ("approval_wanted", "let pass"),
}

log = structlog.get_logger("sidwatch.events")


def notify(context: Context) -> int:
    """Send what was not sent yet, oldest first; returns how many. What fails stays for the next cycle."""
    announce_decisions(context)
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


def announce_decisions(context: Context) -> None:
    """An event for every row of the audit, derived from it, so that no kill between the two can lose one."""
    for row in context.registry.audit():
        if row.action in KINDS:
            kind, done = KINDS[row.action]
            data: dict[str, object] = {"version": row.version, "previous": row.previous, "actor": row.actor}
            text = f"{row.version} {done} by {row.actor}: {row.reason}"
            context.samples.add_event(Event(None, f"audit:{row.number}", kind, row.at, text, data))


class LogNotifier:
    """Writes events to the log: the notifier that is always there."""

    def send(self, event: Event) -> None:
        log.info(
            event.text, kind=event.kind, key=event.key, **{f"about_{key}": value for key, value in event.data.items()}
        )
