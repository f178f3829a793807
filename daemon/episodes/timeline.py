"""Timeline: what happened in one episode, from the first picture that voted to its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from daemon.model import AuditRow, Episode, Event, VersionRecord

_HANDLED = {"episode_ack": "acknowledged", "episode_snooze": "snoozed", "episode_close": "closed"}
_TICKETS = ("not_learned", "not_learned_over")
_DECIDED = {
    "promote": "promoted",
    "hold": "held",
    "reject": "rejected",
    "wait": "kept for a person",
    "shadow": "put into the shadow",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    at: datetime
    what: str  # opened, alarmed, state, verdict, ticket, learned, recovered, acknowledged, snoozed, closed
    text: str  # one line for a person
    data: Mapping[str, object]  # versions, evidence, figures


def timeline(
    episode: Episode, audit: Iterable[AuditRow], versions: Iterable[VersionRecord], events: Iterable[Event]
) -> list[Entry]:
    """Everything that belongs to the episode, oldest first.

    audit: the whole chain. versions: all of them. events: those since the episode was opened, at least.
    """
    end = episode.recovered_at or episode.closed_at
    made_for = {version.id for version in versions if _made_for(version.verdict, episode.family)}
    entries = [*_milestones(episode)]
    for row in audit:
        if row.payload.get("episode") == episode.id and row.action in _HANDLED:
            entries.append(_handled(row))
        elif row.version in made_for and row.action in _DECIDED and _within(row.at, episode.alarmed_at, end):
            text = f"{row.version} {_DECIDED[row.action]} by {row.actor}: {row.reason}"
            entries.append(Entry(row.at, "verdict", text, {"version": row.version, "decision": row.action}))
    for event in events:
        about = event.kind == "family_state_changed" and event.data.get("subject") == ["family", episode.family]
        if about and _within(event.at, episode.opened_at, end):
            entries.append(Entry(event.at, "state", event.text, event.data))
        ticket = event.kind in _TICKETS and event.data.get("about") == episode.family
        if ticket and _within(event.at, episode.alarmed_at, end):
            entries.append(Entry(event.at, "ticket", event.text, event.data))
    return sorted(entries, key=lambda entry: entry.at)


def _milestones(episode: Episode) -> Iterable[Entry]:
    yield Entry(episode.opened_at, "opened", "the first picture that voted was delivered", {})
    figures = {"ap": episode.ap_before, "auroc": episode.auroc_before}
    shown = "".join(f", {name.upper()} {value:.3f}" for name, value in figures.items() if value is not None)
    text = f"proved to evade {episode.champion} after {episode.samples_to_alarm} votes{shown}"
    data = {"version": episode.champion, "votes": episode.samples_to_alarm, **figures}
    yield Entry(episode.alarmed_at, "alarmed", text, data)
    if episode.learned_at is not None:
        text = f"learned by {episode.version}, which became champion"
        yield Entry(episode.learned_at, "learned", text, {"version": episode.version})
    if episode.recovered_at is not None:
        text = f"detected again: AP {episode.ap_after:.3f} on {episode.samples_after} later pictures"
        yield Entry(episode.recovered_at, "recovered", text, {"ap": episode.ap_after, "n": episode.samples_after})
    elif episode.state == "closed" and episode.closed_at is None:  # by a forgetting, which has its own row in the audit
        yield Entry(episode.alarmed_at, "closed", episode.note, {})


def _handled(row: AuditRow) -> Entry:
    what = _HANDLED[row.action]
    until = ""
    if "until" in row.payload:
        until = f" until {datetime.fromisoformat(str(row.payload['until'])):%Y-%m-%d %H:%M} UTC"
    reason = f": {row.reason}" if row.reason else ""
    return Entry(row.at, what, f"{what} by {row.actor}{until}{reason}", {"actor": row.actor, **row.payload})


def _made_for(verdict: Mapping[str, object] | None, family: str) -> bool:
    groups = None if verdict is None else verdict.get("trigger_groups", verdict.get("was_for"))
    return isinstance(groups, Mapping) and family in groups


def _within(at: datetime, first: datetime, last: datetime | None) -> bool:
    return first <= at and (last is None or at <= last)
