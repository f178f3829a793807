"""Standing alarms, shortcut audits and the budget of false alarms as people see them."""

from __future__ import annotations

from daemon import views
from daemon.drift.budget import Spending
from daemon.model import Alarm, BatchAudit
from daemon.settings import ShortcutAuditSettings


def alarm_view(alarm: Alarm) -> views.AlarmView:
    """An alarm, raised or gathering evidence."""
    return views.AlarmView(
        kind=alarm.kind,
        about=alarm.about,
        raised_at=alarm.raised_at,
        evidence_log10=alarm.log10_evidence,
        alarm_log10=alarm.log10_alarm,
        text=alarm.text,
        missing_samples=_missing(alarm, "samples"),
        missing_sources=_missing(alarm, "sources"),
    )


def _missing(alarm: Alarm, what: str) -> int | None:
    number = alarm.state.get(what) if alarm.kind == "not_learned" and alarm.raised_at is not None else None
    return number if isinstance(number, int) else None


def shortcut_view(audit: BatchAudit, settings: ShortcutAuditSettings) -> views.ShortcutView:
    """What the shortcut audit found of a batch."""
    return views.ShortcutView(
        kind=audit.batch.subject.kind,
        name=audit.batch.subject.name,
        source=audit.batch.source,
        state=audit.state,
        auroc=audit.auroc,
        lower=audit.lower,
        upper=audit.upper,
        n=audit.n,
        groups=audit.groups,
        others=audit.others,
        unknown=audit.unknown,
        threshold=audit.threshold,
        laundered_only=audit.state == "shortcut" and settings.action == "laundered_only",
        at=audit.at,
    )


def budget_view(spent: Spending) -> views.AlarmBudgetView:
    """How many false alarms are allowed and how much of that the tests may take."""
    return views.AlarmBudgetView(
        false_alarms_per_30_days=spent.budget,
        new_tests=spent.new_tests,
        new_spent=spent.new_spent,
        known_subjects=spent.known_subjects,
        known_votes=spent.known_votes,
        known_spent=spent.known_spent,
        run_length=spent.run_length,
    )
