"""Tickets: a family or real source that the policy cannot go on with stands as an alarm that says what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.context import Context
from daemon.drift.announcing import announce_alarms
from daemon.drift.standing import find, pipeline_fault_stands, since
from daemon.learn.attempts import key_of
from daemon.learn.automatic import Planned, planned
from daemon.learn.policy import Stuck
from daemon.learn.ticket import Missing, missing, said
from daemon.model import Alarm

GRAVE = ("alarm", "misjudged")  # causes that somebody must hear of; what is degraded or novel may still be detected


def watch_tickets(context: Context) -> int:
    """Raise, renew and end tickets, each with its event; returns how many alarms were written.

    They are worked out anew from verdicts and counts, so that no kill can lose or double one.
    """
    champion = context.champion.get()
    if champion is None or pipeline_fault_stands(context):
        return 0
    before = context.samples.alarms()
    automatic = context.settings.learn.automatic
    standing = list(_standing(context, planned(context, champion), champion.record.id)) if automatic else []
    about = {alarm.about for alarm in standing}
    over = [
        Alarm("not_learned", alarm.about, champion.record.id, {"mark": alarm.state.get("mark")}, None, None, None)
        for alarm in before
        if alarm.kind == "not_learned" and alarm.raised_at is not None and alarm.about not in about
    ]
    changed = [alarm for alarm in (*standing, *over) if alarm not in before]
    if changed:  # first the events: one is stored once, and only the alarms say that nothing is left to tell
        announce_alarms(context, before, changed)
        context.samples.save_alarms(changed)
    return len(changed)


def _standing(context: Context, found: Planned, champion: str) -> Iterator[Alarm]:
    gate = context.settings.gate
    margins = {
        "macro_mean": gate.mean_margin,
        "false_positive_rate": gate.false_positive_margin,
        "left_out_rate": gate.false_positive_margin,
    }
    alarms = context.samples.alarms()
    for trigger in found.triggers:
        stuck = found.plans[trigger.subject]
        if trigger.cause not in GRAVE or not isinstance(stuck, Stuck):
            continue
        what = missing(trigger, found.rows.get(trigger.subject), stuck, margins)
        about = key_of(trigger.subject)
        at = since(find(alarms, "not_learned", about), True, context.clock.now())
        mark = trigger.since.isoformat() if trigger.since else ""
        text = said(trigger, stuck, what)
        yield Alarm("not_learned", about, champion, _state(what, mark), None, None, at, text)


def _state(what: Missing, mark: str) -> dict[str, object]:
    return {"mark": mark, "reason": what.reason, "samples": what.samples, "sources": what.sources}
