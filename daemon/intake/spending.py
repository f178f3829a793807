"""What an adapter that pays for its pictures has spent of a day's budget, read from its cursor and its options."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Spending:
    """One UTC day's account."""

    images: int  # asked for, failed ones included
    images_limit: int
    money: float  # reserved, in the currency of the options' `price`
    money_limit: float | None  # None: pictures cost nothing


def spending_of(cursor: str | None, options: Mapping[str, Any], day: date) -> Spending | None:
    """Read the account of a day; see `daemon.ports.MakingAdapter` for what cursor and options hold.

    Returns None for an adapter whose options name no `images_per_day`: it pays for nothing. A cursor that is not of
    this kind of adapter has spent nothing, for the adapter itself begins anew with one.

    >>> cursor = '{"spent": {"2030-01-01": {"images": 3, "money": "0.12"}}}'
    >>> spending_of(cursor, {"images_per_day": 9}, date(2030, 1, 1))
    Spending(images=3, images_limit=9, money=0.12, money_limit=None)
    >>> spending_of(None, {"path": "inbox"}, date(2030, 1, 1)) is None
    True
    """
    images_limit = _number(options.get("images_per_day"))
    if images_limit is None:
        return None
    try:
        told = json.loads(cursor or "{}")
    except (ValueError, RecursionError):
        told = {}
    spent = told.get("spent") if isinstance(told, dict) else None
    account = spent.get(day.isoformat()) if isinstance(spent, dict) else None
    if not isinstance(account, dict):
        account = {}
    return Spending(
        images=int(_number(account.get("images")) or 0),
        images_limit=int(images_limit),
        money=_number(account.get("money")) or 0.0,
        money_limit=_number(options.get("money_per_day")),
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None
