"""How sure an alarm must be, from the number of false alarms that people will bear."""

from __future__ import annotations

from dataclasses import dataclass

HIGHEST_ALPHA = 0.05  # few tests never make a weak alarm acceptable
SHORTEST_RUN = 200.0  # votes; nor do few votes
DAYS = 30  # the stretch of time that the budget is stated for


@dataclass(frozen=True, slots=True)
class Spending:
    """The budget of the whole service over the last 30 days, and what it was spent on."""

    budget: float  # false alarms per 30 days that people will bear
    new_tests: int  # tests that began, restarts after promotions counted
    new_spent: float  # sum of their levels: false alarms to expect of them, at most
    known_subjects: int  # families and real sources that are watched for a change
    known_votes: int  # their votes
    run_length: float  # votes from one false alarm to the next, at least, of a known subject

    @property
    def known_spent(self) -> float:
        """False alarms to expect of the known subjects, at most."""
        return self.known_votes / self.run_length


def alarm_alpha(
    false_alarms_per_30_days: float, new_tests_per_30_days: float, spent: float = 0.0, starting: int = 1
) -> float:
    """Level of each new test: alpha = B / (2 * tests), and never more than the 30 days have left.

    Half of the budget goes to new tests. Those that start together share half of what is left of it, so that however
    many start, their levels never add up to more.

    false_alarms_per_30_days: the budget B of the whole service, > 0.
    new_tests_per_30_days: tests expected to start, restarts after promotions counted, > 0.
    spent: sum of the levels of the tests that started within the last 30 days. starting: tests that start now, >= 1.
    Returns alpha, at most `HIGHEST_ALPHA`. Raises ValueError unless B, the tests and what is left are positive.
    Source: method section 3.

    >>> alarm_alpha(1.0, 50.0)
    0.01
    >>> alarm_alpha(1.0, 50.0, spent=0.3, starting=100)
    0.001
    """
    if false_alarms_per_30_days <= 0.0 or new_tests_per_30_days <= 0.0 or starting < 1:
        raise ValueError("the alarm budget and the expected number of tests must be positive")
    half = false_alarms_per_30_days / 2.0
    if spent >= half:
        raise ValueError(f"the new tests have spent {spent} of {half} false alarms already")
    return min(HIGHEST_ALPHA, half / new_tests_per_30_days, (half - spent) / (2.0 * starting))


def run_length(false_alarms_per_30_days: float, votes_per_30_days: float) -> float:
    """Votes between false alarms of the known subjects: A = 2 * their votes per 30 days / B.

    Half of the budget goes to them. At least `SHORTEST_RUN`. Raises ValueError unless both are positive.
    Source: method section 3.

    >>> run_length(1.0, 5000.0)
    10000.0
    """
    if false_alarms_per_30_days <= 0.0 or votes_per_30_days <= 0.0:
        raise ValueError("the alarm budget and the expected number of votes must be positive")
    return max(SHORTEST_RUN, 2.0 * votes_per_30_days / false_alarms_per_30_days)
