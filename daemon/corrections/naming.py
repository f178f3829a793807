"""What a claimed family is called by now: renamings, mergers and splits, in the order in which they were made."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """What a delivery says that decides the family."""

    family: str | None  # as delivered
    source: str
    released: str | None  # YYYY, YYYY-MM or YYYY-MM-DD
    at: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """From when it was made on, what was `old` is `new`: all of it, or what meets the conditions."""

    old: str
    new: str
    source: str | None = None
    released_after: str | None = None  # YYYY, YYYY-MM or YYYY-MM-DD
    delivered_after: datetime | None = None

    @property
    def conditional(self) -> bool:
        """Whether it takes a part of the family: a split."""
        return (self.source, self.released_after, self.delivered_after) != (None, None, None)

    def takes(self, claim: Claim) -> bool:
        """Whether a sample first delivered so belongs to `new`."""
        if self.source is not None and claim.source != self.source:
            return False
        if self.released_after is not None and not (claim.released and is_after(claim.released, self.released_after)):
            return False
        return self.delivered_after is None or claim.at > self.delivered_after


def present_families(claims: Sequence[Claim], rules: Sequence[Rule]) -> list[str | None]:
    """(n,) the present name of each claim's family; None: it claims none.

    claims: of one sample, oldest first. A split looks at the first delivery that claims the family, and takes all of
    the sample's deliveries that claim it: one picture is never on both sides.

    >>> rules = [Rule("sd", "sd_1"), Rule("sd_1", "sd_2", source="forum")]
    >>> at = datetime(2030, 1, 1)
    >>> present_families([Claim("sd", "forum", None, at), Claim("sd_1", "hub", None, at)], rules)
    ['sd_2', 'sd_2']
    """
    names = [claim.family for claim in claims]
    for rule in rules:
        holders = [number for number, name in enumerate(names) if name == rule.old]
        if holders and rule.takes(claims[holders[0]]):
            for number in holders:
                names[number] = rule.new
    return names


def present_names(rules: Sequence[Rule]) -> dict[str, str]:
    """Former family name -> present name, for names that no longer stand for themselves.

    >>> present_names([Rule("a", "b"), Rule("b", "c"), Rule("x", "y"), Rule("y", "x")])
    {'a': 'c', 'b': 'c', 'y': 'x'}
    """
    whole = [rule for rule in rules if not rule.conditional]
    found: dict[str, str] = {}
    for name in dict.fromkeys(rule.old for rule in whole):
        present = name
        for rule in whole:
            if present == rule.old:
                present = rule.new
        if present != name:
            found[name] = present
    return found


def ever_called(names: Iterable[str], rules: Sequence[Rule]) -> set[str]:
    """What deliveries may call these families: their names, and every name of which all or a part became theirs.

    >>> sorted(ever_called(["c"], [Rule("a", "b"), Rule("b", "c"), Rule("x", "y")]))
    ['a', 'b', 'c']
    """
    found = set(names)
    for rule in reversed(rules):
        if rule.new in found:
            found.add(rule.old)
    return found


def is_after(released: str, limit: str) -> bool:
    """Whether a release date lies surely after another one: after the last day that it may mean.

    >>> is_after("2024-03", "2024-02"), is_after("2024", "2024-02"), is_after("2024-03-02", "2024-03")
    (True, False, False)
    """
    return first_day(released) > last_day(limit)


def first_day(text: str) -> date:
    """The first day of YYYY, YYYY-MM or YYYY-MM-DD. Raises ValueError when it is none of these."""
    year, month, day = _parts(text)
    return date(year, month or 1, day or 1)


def last_day(text: str) -> date:
    """The last day of it. Raises ValueError likewise."""
    year, month, day = _parts(text)
    return date(year, month or 12, day or calendar.monthrange(year, month or 12)[1])


def _parts(text: str) -> tuple[int, int, int]:
    formats = {4: "%Y", 7: "%Y-%m", 10: "%Y-%m-%d"}
    try:
        found = datetime.strptime(text, formats.get(len(text), "%Y-%m-%d"))
    except ValueError as error:
        raise ValueError(f"{text!r} is not YYYY, YYYY-MM or YYYY-MM-DD") from error
    return found.year, found.month if len(text) > 4 else 0, found.day if len(text) > 7 else 0
