"""How sure an alarm must be, from the number of false alarms that people will bear."""

from __future__ import annotations

HIGHEST_ALPHA = 0.05  # few tests never make a weak alarm acceptable


def alarm_alpha(false_alarms_per_30_days: float, new_tests_per_30_days: float) -> float:
    """Level of each new test, alpha = B / (2 * tests): half of the budget goes to new tests.

    false_alarms_per_30_days: the budget B of the whole service, > 0.
    new_tests_per_30_days: tests expected to start, restarts after promotions counted, > 0.
    Returns alpha, at most `HIGHEST_ALPHA`. Raises ValueError unless both are positive.
    Source: method section 3.

    >>> alarm_alpha(1.0, 50.0)
    0.01
    """
    if false_alarms_per_30_days <= 0.0 or new_tests_per_30_days <= 0.0:
        raise ValueError("the alarm budget and the expected number of tests must be positive")
    return min(HIGHEST_ALPHA, false_alarms_per_30_days / (2.0 * new_tests_per_30_days))
