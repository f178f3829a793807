"""The events of alarms; each has a key of its own, so that a repeat after a kill is stored once."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.context import Context
from daemon.drift.standing import find
from daemon.drift.subject_test import has_degraded
from daemon.model import Alarm, Event, TestState


def announce_subjects(context: Context, before: Sequence[TestState], after: Sequence[TestState]) -> None:
    """Tell of every subject that newly evades, is misjudged or has degraded."""
    earlier = {state.subject: state for state in before}
    for state in after:
        was = earlier.get(state.subject)
        if state.alarmed_at is not None and (was is None or was.alarmed_at is None):
            _tell_alarm(context, state)
        elif has_degraded(state) and not has_degraded(was) and state.subject.kind == "family":
            text = f"{state.subject.name} has fallen below its own baseline; whether it evades is tested from now on"
            _tell(context, "family_degraded", text, state)


def announce_alarms(context: Context, before: Sequence[Alarm], after: Sequence[Alarm]) -> None:
    """Tell of every alarm that is newly raised, or over.

    Keys come from what the alarm saw (`mark` in its state), never from the time, which a repeat reads anew.
    """
    for alarm in after:
        was = find(before, alarm.kind, alarm.about)
        stood = was if was is not None and was.raised_at is not None and _same_matter(was, alarm) else None
        if (stood is None) == (alarm.raised_at is None):
            continue
        about = f" ({alarm.about})" if alarm.about else ""
        if alarm.raised_at is not None:
            kind, mark, text = str(alarm.kind), alarm.state.get("mark"), alarm.text
        else:
            assert stood is not None
            kind, mark = f"{alarm.kind}_over", stood.state.get("mark")
            text = f"{alarm.kind.replace('_', ' ')}{about} is over"
        data: dict[str, object] = {"about": alarm.about, "version": alarm.version, **_evidence(alarm)}
        key = f"{kind}:{alarm.about}:{alarm.version}:{mark}"
        context.samples.add_event(Event(None, key, kind, context.clock.now(), text, data))


def _same_matter(was: Alarm, alarm: Alarm) -> bool:
    """The real pool is another one under another champion; everything else goes on."""
    return alarm.kind != "real_pool_shift" or was.version == alarm.version


def _tell_alarm(context: Context, state: TestState) -> None:
    family = state.subject.kind == "family"
    kind, verb = ("family_evades", "evades detection") if family else ("source_misjudged", "is misjudged")
    text = (
        f"{state.subject.name} {verb}: evidence 10^{state.log10_evidence:.1f} against an alarm line of "
        f"10^{state.log10_alarm:.1f} after {state.votes} votes"
    )
    _tell(context, kind, text, state)


def _tell(context: Context, kind: str, text: str, state: TestState) -> None:
    again = f":{state.restarts}" if state.restarts else ""  # a test that began anew may alarm anew
    key = f"{state.subject.name}:{state.version}{again}"
    data: dict[str, object] = {
        "subject": list(state.subject),
        "version": state.version,
        "votes": state.votes,
        "log10_evidence": state.log10_evidence,
        "log10_alarm": state.log10_alarm,
    }
    context.samples.add_event(Event(None, f"{kind}:{key}", kind, context.clock.now(), text, data))


def _evidence(alarm: Alarm) -> dict[str, object]:
    if alarm.log10_evidence is None:
        return {}
    return {"log10_evidence": alarm.log10_evidence, "log10_alarm": alarm.log10_alarm}
