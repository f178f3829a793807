"""Whether what passes the gate comes into force by itself or waits for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from daemon.model import AuditRow
from daemon.registry.flapping import flapping
from daemon.settings import PromotionSettings


def person_decides(audit: Callable[[], Sequence[AuditRow]], now: datetime, settings: PromotionSettings) -> str | None:
    """Why a challenger that passed the gate waits for a person; None: it does not. audit: read when it is needed."""
    if settings.mode == "manual":
        return "a person decides"
    return flapping(audit(), now, settings.flapping_returns, settings.flapping_window)
