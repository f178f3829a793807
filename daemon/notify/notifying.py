"""Notify: every event becomes, once, the messages that wait in the outbox for each channel's recipients."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog

from daemon.context import Context
from daemon.errors import TemporaryError
from daemon.failpoints import failpoint
from daemon.model import Episode, Event, OutboxMessage
from daemon.notify.examples import worst_examples
from daemon.notify.message import TOLD_BY_THE_CHANGE_OF_STATE, compose, subject_of
from daemon.report.scheduled import KIND as REPORT
from daemon.report.scheduled import announce_report, attachment_of

# Action in the audit -> (kind of event, how people say it).
KINDS = {
    "promote": ("champion_promoted", "promoted"),
    "rollback": ("champion_rolled_back", "brought back"),
    "hold": ("update_held", "held"),
    "reject": ("update_rejected", "rejected"),
    "wait": ("approval_wanted", "let pass"),
    "shadow": ("shadow_begun", "put into the shadow"),
}

_OF_AUDIT = "audit:"  # how the keys of their events begin

_EVADES = ("evading", "inverted", "degraded")

log = structlog.get_logger("sidwatch.events")


def notify(context: Context) -> int:
    """Tell what was not told yet, oldest first; returns how many events. What fails stays for the next cycle.

    The event was written together with the change that it tells of. Here its messages go into the outbox in the
    transaction that marks it; `deliver` sends them, beside the cycle, for a mail server may take its time.
    """
    announce_decisions(context)
    episodes = context.samples.episodes(open_only=True)
    now = context.clock.now()
    announce_ends_of_snoozes(context, episodes, now)
    announce_report(context)
    quiet = {episode.family for episode in episodes if episode.handling(now) != "open"}
    sent = 0
    for event in context.samples.unsent_events():
        if repeats(event, quiet):
            assert event.id is not None
            context.samples.mark_sent([event.id], now)  # it stays among the events; nobody is called again
            continue
        try:
            context.notifier.send(event)
        except TemporaryError as error:
            context.meter.notification_failed("log")
            log.warning("notification failed; it will be tried again", event_key=event.key, error=str(error))
            break
        assert event.id is not None
        failpoint("notify.sent")
        context.samples.hand_over(event.id, _messages(context, event), context.clock.now())
        sent += 1
    return sent


def _messages(context: Context, event: Event) -> list[OutboxMessage]:
    """What each recipient of each channel is to be told of an event."""
    interested = [channel for channel in context.channels if wants(channel.kinds, event.kind)]
    if not interested:
        return []
    settings = context.settings
    subject = subject_of(event)
    examples = worst_examples(context, subject, settings.notify.pictures) if subject else []
    message = compose(
        event,
        page=settings.page_address,
        examples=examples,
        simulated=settings.simulated,
        attachments=[attachment_of(context, event)] if event.kind == REPORT else (),
    ).to_json()
    return [
        OutboxMessage(channel.name, recipient, message) for channel in interested for recipient in channel.recipients
    ]


def wants(kinds: Collection[str] | None, kind: str) -> bool:
    """Whether a channel is told of events of a kind; kinds: those it was given, None: one message a change of state."""
    return kind in kinds if kinds is not None else kind not in TOLD_BY_THE_CHANGE_OF_STATE


def repeats(event: Event, quiet: Collection[str]) -> bool:
    """Whether an event only says once more that a family evades, of which somebody has said that they know it.

    quiet: families whose open episode is acknowledged or snoozed.
    """
    subject = event.data.get("subject")
    if not isinstance(subject, list) or subject[:1] != ["family"] or subject[1] not in quiet:
        return False
    worse = event.kind in ("family_evades", "family_degraded")
    return worse or (event.kind == "family_state_changed" and event.data.get("after") in _EVADES)


def announce_ends_of_snoozes(context: Context, episodes: Sequence[Episode], now: datetime) -> None:
    """A snooze that is over while its family still evades is told, once."""
    for episode in episodes:
        until = episode.snoozed_until
        if until is not None and until <= now and episode.state == "alarmed" and episode.handling(now) == "open":
            text = f"{episode.family} still evades detection; its episode was snoozed until {until:%Y-%m-%d %H:%M} UTC"
            data: dict[str, object] = {"family": episode.family, "episode": episode.id, "until": until.isoformat()}
            key = f"episode_snooze_over:{episode.id}:{until.isoformat()}"
            context.samples.add_event(Event(None, key, "episode_snooze_over", now, text, data))


def announce_decisions(context: Context) -> None:
    """An event for every row of the audit, derived from it, so that no kill between the two can lose one."""
    for row in context.registry.audit(KINDS, after=_last_announced(context)):
        kind, done = KINDS[row.action]
        data: dict[str, object] = {"version": row.version, "previous": row.previous, "actor": row.actor}
        text = f"{row.version} {done} by {row.actor}: {row.reason}"
        context.samples.add_event(Event(None, f"{_OF_AUDIT}{row.number}", kind, row.at, text, data))


def _last_announced(context: Context) -> int:
    """Number of the newest row of the audit that has its event: rows are announced in their order."""
    newest = (context.samples.last_event(kind) for kind, _ in KINDS.values())
    numbers = (event.key.removeprefix(_OF_AUDIT) for event in newest if event and event.key.startswith(_OF_AUDIT))
    return max(map(int, numbers), default=0)


class LogNotifier:
    """Writes events to the log: the notifier that is always there."""

    def send(self, event: Event) -> None:
        log.info(
            event.text, kind=event.kind, key=event.key, **{f"about_{key}": value for key, value in event.data.items()}
        )
