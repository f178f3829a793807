"""Alarms that are not one subject's own: since when they stand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from daemon.context import Context
from daemon.model import Alarm, AlarmKind


def since(before: Alarm | None, raised: bool, now: datetime) -> datetime | None:
    """Since when an alarm stands: as before while it goes on, None when it does not."""
    if not raised:
        return None
    return before.raised_at if before is not None and before.raised_at is not None else now


def stands(alarms: Iterable[Alarm], kind: AlarmKind) -> bool:
    """Whether an alarm of that kind is raised."""
    return any(alarm.kind == kind and alarm.raised_at is not None for alarm in alarms)


def pipeline_fault_stands(context: Context) -> bool:
    """Whether what comes in is suspect: then nothing counts as evidence, and nothing may be learned."""
    return stands(context.samples.alarms(), "pipeline_fault")


def find(alarms: Iterable[Alarm], kind: AlarmKind, about: str = "") -> Alarm | None:
    """The alarm of that kind about that."""
    return next((alarm for alarm in alarms if alarm.kind == kind and alarm.about == about), None)
