"""How sure the alarms of one pass must be."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.context import Context
from daemon.drift.budget import HIGHEST_ALPHA, Spending, alarm_alpha
from daemon.drift.spending import spending
from daemon.settings import AlarmSettings


@dataclass(frozen=True, slots=True)
class Levels:
    """Of one pass of detection."""

    alpha: float  # of each test that starts now
    run_length: float  # votes between false alarms of what is known


def levels_of(context: Context, starting: int) -> Levels:
    """The levels at which `starting` tests may begin now, out of what the budget has left."""
    spent: Spending = spending(context.samples, context.registry, context.settings.alarms, context.clock.now())
    return Levels(_alpha(context.settings.alarms, spent, starting), spent.run_length)


def _alpha(settings: AlarmSettings, spent: Spending, starting: int) -> float:
    if not starting:
        return HIGHEST_ALPHA  # nothing starts
    budget = settings.false_alarms_per_30_days
    # Only a budget that people have lowered can be spent; new tests then go on with next to nothing.
    used = min(spent.new_spent, 0.499 * budget)
    return alarm_alpha(budget, settings.new_tests_per_30_days, used, starting)
