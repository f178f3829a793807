"""Somebody else's items as rows of ours: which key holds what, what their words mean, what goes without saying."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from adapters.records import CLAIMS, BadRecord, claims_of, released_on
from daemon.model import Candidate


def _ours(named: dict[str, Any]) -> dict[str, Any]:
    for name in named:
        if name not in CLAIMS:
            raise ValueError(f"{name!r} is not one of {', '.join(CLAIMS)}")
    return named


def _texts(value: object) -> object:
    # YAML reads `2021-05` as text, `2021` as a number and `2021-05-01` as a date
    if isinstance(value, dict):
        return {str(key): one if isinstance(one, dict) else str(one) for key, one in value.items()}
    return value


Columns = Annotated[dict[str, str], BeforeValidator(_texts), AfterValidator(_ours)]


class ItemMapping(BaseModel):
    """Options that say how an item of the source is read; those of an adapter derive from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Columns = {}  # column of a manifest -> key in the item, dots go into objects; not named: the same name
    words: Annotated[dict[str, dict[str, str]], AfterValidator(_ours)] = {}  # column -> their word -> ours; "": nothing
    defaults: Columns = {}  # column -> what holds where the item says nothing
    family_of_real: bool = True  # False: a real item's family is that of its counterpart, which says nothing of it

    def claim(self, candidate: Candidate, item: Mapping[str, object]) -> Candidate:
        """Return the candidate with what the item says of it. Raises BadRecord."""
        return claims_of(self.row(item)).on(candidate)

    def row(self, item: Mapping[str, object]) -> dict[str, object]:
        """Return the item as a row with the columns of a manifest."""
        row: dict[str, object] = {}
        for column in CLAIMS:
            value = value_at(item, self.columns.get(column, column))
            words = self.words.get(column)
            if words is not None and value is not None:
                value = words.get(str(value), value)
            row[column] = self.defaults.get(column) if value is None or value == "" else value
        if str(row["label"]).lower() == "real":
            inherited = not self.family_of_real or row["family"] == self.defaults.get("family")
            row["family"] = None if inherited else row["family"]
        return row


def value_at(item: object, path: str) -> object:
    """Return what lies at a dotted path, None when nothing does.

    >>> value_at({"a": {"b": 1}}, "a.b"), value_at({"a.b": 2}, "a.b"), value_at({"a": 1}, "a.b")
    (1, 2, None)
    """
    if isinstance(item, Mapping) and path in item:
        return item[path]
    for part in path.split("."):
        if not isinstance(item, Mapping) or part not in item:
            return None
        item = item[part]
    return item


def is_released(candidate: Candidate, now: datetime) -> bool:
    """Say whether the family of a candidate is released by now."""
    return candidate.released is None or released_on(candidate.released) <= now.date()


__all__ = ["BadRecord", "ItemMapping", "is_released", "value_at"]
