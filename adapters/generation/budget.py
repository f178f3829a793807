"""What may be spent in a day, in pictures and in money; reserved before it is spent.

A day is one of UTC. The days are kept apart, so that a clock which is set forward and back again frees nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

_KEPT = 60  # days


class Spent(BaseModel):
    """What was reserved on one day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: int = Field(0, ge=0)
    money: Decimal = Field(Decimal(0), ge=0)


Ledger = Mapping[date, Spent]


@dataclass(frozen=True, slots=True)
class Limits:
    """The budget of a day."""

    images: int
    money: Decimal | None  # None: pictures cost nothing
    price: Decimal  # the most that one picture can cost


def reserve(ledger: Ledger, day: date, limits: Limits) -> Ledger | None:
    """Return the ledger with one more picture on that day, None when that would be over the budget.

    >>> reserve({}, date(2030, 1, 1), Limits(1, Decimal("0.10"), Decimal("0.04")))
    {datetime.date(2030, 1, 1): Spent(images=1, money=Decimal('0.04'))}
    >>> reserve({}, date(2030, 1, 1), Limits(1, Decimal("0.03"), Decimal("0.04"))) is None
    True
    """
    so_far = ledger.get(day, Spent())
    now = Spent(images=so_far.images + 1, money=so_far.money + limits.price)
    if now.images > limits.images or (limits.money is not None and now.money > limits.money):
        return None
    # by the calendar, not by when it was written: the day that it is now is never dropped for one that is to come
    kept = sorted({*ledger, day}, key=lambda one: (abs((one - day).days), one))[:_KEPT]
    return {one: now if one == day else ledger[one] for one in sorted(kept)}


def give_back(ledger: Ledger, day: date, limits: Limits) -> Ledger:
    """Return the ledger without one picture of that day, for which nothing has to be paid."""
    so_far = ledger[day]
    return {**ledger, day: Spent(images=so_far.images - 1, money=so_far.money - limits.price)}
