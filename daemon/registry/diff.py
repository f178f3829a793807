"""How two versions differ: their manifests leaf by leaf, their groups, their figures. Pure functions of plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from daemon.model import EvaluationRow

# Told apart from the rest: groups have a table of their own, digests of everything differ whenever anything does.
_APART = ("about.statistics.groups", "manifest_sha256")


class Change(NamedTuple):
    """One value that differs; None: it is not there."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """What sets a version apart from another one."""

    values: tuple[Change, ...]  # manifest leaves, by their path
    groups: tuple[Change, ...]  # `family sdxl raw` -> pictures learned
    figures: tuple[Change, ...]  # `family sdxl raw` -> AP, or the false-positive rate of a real source

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """As plain data."""
        parts = {"values": self.values, "groups": self.groups, "figures": self.figures}
        return {name: [change._asdict() for change in part] for name, part in parts.items()}


def differences(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    figures_before: Iterable[EvaluationRow] = (),
    figures_after: Iterable[EvaluationRow] = (),
) -> Difference:
    """What changed from one manifest to the other, and in the figures of one window.

    >>> a = {"about": {"learner": "probe"}, "thresholds": {"raw": {"value": 1.0}}}
    >>> b = {"about": {"learner": "gradient"}, "thresholds": {"raw": {"value": 1.0}}}
    >>> differences(a, b).values
    (Change(key='about.learner', before='probe', after='gradient'),)
    """
    return Difference(
        _changes(dict(_leaves(before)), dict(_leaves(after))),
        _changes(_groups(before), _groups(after)),
        _changes(_figures(figures_before), _figures(figures_after)),
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    keys = sorted({*before, *after})
    return tuple(Change(k, before.get(k), after.get(k)) for k in keys if before.get(k) != after.get(k))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if path in _APART:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _groups(manifest: Mapping[str, Any]) -> dict[str, int]:
    groups = manifest.get("about", {}).get("statistics", {}).get("groups", [])
    return {
        " ".join(filter(None, (group["kind"], group["name"], group["profile"], group.get("form")))): group["n"]
        for group in groups
    }


def _figures(rows: Iterable[EvaluationRow]) -> dict[str, float]:
    found = {}
    for row in rows:
        value = row.ap if row.subject.kind == "family" else row.false_positive_rate
        if value is not None:
            found[f"{row.subject.kind} {row.subject.name} {row.profile}"] = value
    return found
