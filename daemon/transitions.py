"""Transitions: every change of a family's or real source's state becomes one event, with its evidence."""

from __future__ import annotations

from datetime import datetime

from daemon.context import Context
from daemon.learn.settling import settle
from daemon.model import Event, Subject, SubjectState
from daemon.states import state_of
from daemon.status.subjects import subject_views
from daemon.views import FamilyView, SourceView


def note_transitions(context: Context) -> int:
    """Compare each state with the stored one and store what changed, with its event; returns how many events.

    State and event are one transaction, and the event's key counts the subject's transitions: a kill between any
    two lines neither loses a transition nor tells it twice. A subject that is new and calm is stored without one.
    """
    champion = context.registry.champion()
    if champion is None:
        return 0  # nothing is measured yet, so nothing is insufficient either
    settle(context)  # an episode that a killed promotion left behind must not look like a state of its own
    before = context.samples.subject_states()
    now = context.clock.now()
    found = subject_views(context.settings, context.samples, context.registry)
    changes: list[tuple[SubjectState, Event | None]] = []
    every: list[FamilyView | SourceView] = [*found.families, *found.real_sources]
    for view in every:
        subject = Subject("family" if isinstance(view, FamilyView) else "source", view.name)
        stored = before.get(subject)
        known = stored if stored is not None and stored.state else None  # blank: it was gone, so it is new again
        if known is not None and known.state == view.state:
            continue
        after = SubjectState(subject, view.state, now, stored.number + 1 if stored else 1)
        news = known is not None or not state_of(subject.kind, view.state).calm
        changes.append((after, _event(known, after, view, champion.id, now) if news else None))
    if changes:
        context.samples.save_subject_states(changes)
    return sum(event is not None for _, event in changes)


def _event(
    before: SubjectState | None,
    after: SubjectState,
    view: FamilyView | SourceView,
    champion: str,
    now: datetime,
) -> Event:
    kind, name = after.subject
    data: dict[str, object] = {
        "subject": [kind, name],
        "before": before.state if before else None,
        "after": after.state,
        "since": before.since.isoformat() if before else None,
        "version": champion,
        "alert": state_of(kind, after.state).alert,
        "evidence": _evidence(view),
    }
    text = f"{name}: {before.state if before else 'new'} -> {after.state}{_shown(view)}"
    return Event(None, f"state:{kind}:{name}:{after.number}", f"{kind}_state_changed", now, text, data)


def _evidence(view: FamilyView | SourceView) -> dict[str, object]:
    """The running test, and the figures under each profile."""
    return {
        "samples": view.samples,
        "log10_evidence": view.evidence_log10,
        "log10_alarm": view.alarm_log10,
        "figures": {profile: figures.model_dump(mode="json") for profile, figures in view.profiles.items()},
    }


def _shown(view: FamilyView | SourceView) -> str:
    parts = []
    if view.evidence_log10 is not None and view.alarm_log10 is not None:
        parts.append(f"evidence 10^{view.evidence_log10:.1f} of 10^{view.alarm_log10:.1f}")
    if isinstance(view, FamilyView):
        raw = view.profiles.get("raw")
        if raw is not None and raw.ap is not None:
            parts.append(f"AP {raw.ap:.3f} [{raw.ap_lower:.3f}, {raw.ap_upper:.3f}], n {raw.n}")
    else:
        figures = view.profiles.get("raw")
        if figures is not None and figures.false_positive_rate is not None:
            parts.append(f"called synthetic {figures.false_positive_rate:.3f}, n {figures.n}")
    return f" ({'; '.join(parts)})" if parts else ""
