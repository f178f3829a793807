"""What the closed form promises beside the other learners, checked on the figures of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MOST_GROWTH: Final = 1.2  # of the update's time from the smallest N to the largest
LEAST_SPEED: Final = 100.0  # times faster than the logistic refit at LARGE rows
LARGE: Final = 1_000_000
STATE_GROWTH: Final = 1.05  # of the state, once every group is packed: up to a block of rows per fold stays beside
MARGIN: Final = 0.005  # of mAP that `linear` may lack
MANY: Final = 10  # families above which `mixture` must be ahead


@dataclass(frozen=True, slots=True)
class Row:
    """One learner at one number of rows: medians over the runs."""

    families: int
    size: int  # rows known before the update
    name: str
    read: dict[str, float]  # wall and CPU seconds until what it keeps is in memory
    update: dict[str, float]  # wall and CPU seconds from 256 new rows to a new head
    peak_bytes: int
    map: float
    runs: int
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise and what was found."""

    text: str
    value: float | None  # None: this run cannot tell
    limit: float
    at_least: bool

    @property
    def kept(self) -> bool | None:
        """Whether it holds; None: not judged."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        verdict = {True: "kept", False: "MISSED", None: "not judged"}[self.kept]
        found = "" if self.value is None else f"{self.value:.4g}, "
        return f"{verdict:10s} {self.text}: {found}{'at least' if self.at_least else 'at most'} {self.limit:g}"


def promises(rows: Sequence[Row], pictures: Mapping[str, Mapping[str, Any]] | None) -> list[Promise]:
    """Every promise, judged where the run has what it needs.

    Parameters:
        rows: one for each families, size and name; CPU seconds are compared, for other load changes them less.
        pictures: learner -> profile -> `map`; None: not measured.
    """
    return [
        _growth(rows),
        _speed(rows),
        _state(rows),
        _lead("mAP, `linear` less logistic (simulated)", rows, "linear", -MARGIN, 0),
        _lead(f"mAP, `mixture` less logistic (simulated, over {MANY} families)", rows, "mixture", 0.0, MANY),
        *_on_pictures(pictures),
    ]


def of(rows: Sequence[Row], families: int, size: int, name: str) -> Row | None:
    """The row of one learner, if it ran."""
    return next((row for row in rows if (row.families, row.size, row.name) == (families, size, name)), None)


def growth(rows: Sequence[Row], name: str, *, reading: bool) -> float | None:
    """CPU seconds of a learner's update at the largest N over that at the smallest, most families."""
    own = _of_most_families(rows, name)
    if len(own) < 2:
        return None
    seconds = [row.update["cpu"] + (row.read["cpu"] if reading else 0.0) for row in (own[0], own[-1])]
    return seconds[1] / seconds[0]


def _growth(rows: Sequence[Row]) -> Promise:
    found = [growth(rows, name, reading=False) for name in ("mixture", "linear")]
    known = [value for value in found if value is not None]
    text = "closed-form update, time at the largest N over that at the smallest"
    return Promise(text, max(known) if known else None, MOST_GROWTH, at_least=False)


def _speed(rows: Sequence[Row]) -> Promise:
    families = max(row.families for row in rows)
    refit, *ours = (of(rows, families, LARGE, name) for name in ("logistic", "mixture", "linear"))
    slowest = max((row.update["cpu"] for row in ours if row is not None), default=None)
    value = refit.update["cpu"] / slowest if refit is not None and slowest is not None else None
    return Promise(f"logistic refit (cold) over closed-form update at N = {LARGE:,}", value, LEAST_SPEED, at_least=True)


def _state(rows: Sequence[Row]) -> Promise:
    sizes = [
        row.about["state_bytes"]
        for row in _of_most_families(rows, "mixture")
        if row.about["packed_groups"] == row.about["groups"]
    ]
    value = max(sizes) / min(sizes) if len(sizes) > 1 else None
    return Promise("state, largest over smallest where every group is packed", value, STATE_GROWTH, at_least=False)


def _lead(text: str, rows: Sequence[Row], name: str, least: float, above: int) -> Promise:
    """The smallest lead over the logistic refit, at any N and number of families above `above`."""
    leads = []
    for row in rows:
        refit = of(rows, row.families, row.size, "logistic")
        if row.name == name and row.families > above and refit is not None:
            leads.append(row.map - refit.map)
    return Promise(text, min(leads, default=None), least, at_least=True)


def _on_pictures(pictures: Mapping[str, Mapping[str, Any]] | None) -> list[Promise]:
    found = []
    for name, least in (("linear", -MARGIN), ("mixture", 0.0)):
        leads = [
            pictures[name][profile]["map"] - pictures["logistic"][profile]["map"] for profile in ("raw", "laundered")
        ] if pictures else []  # fmt: skip
        text = f"mAP, `{name}` less logistic (pictures, the worse profile)"
        found.append(Promise(text, min(leads, default=None), least, at_least=True))
    return found


def _of_most_families(rows: Sequence[Row], name: str) -> list[Row]:
    families = max(row.families for row in rows)
    return sorted((row for row in rows if row.name == name and row.families == families), key=lambda row: row.size)
