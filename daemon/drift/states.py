"""The word that people read about a family or a real source."""

from __future__ import annotations

from typing import Literal

FamilyState = Literal["insufficient", "detected", "degraded", "evading", "inverted"]
SourceState = Literal["insufficient", "ok", "misjudged"]

FAMILY_STATES: tuple[FamilyState, ...] = ("insufficient", "detected", "degraded", "evading", "inverted")
SOURCE_STATES: tuple[SourceState, ...] = ("insufficient", "ok", "misjudged")

INVERTED_BELOW = 0.45  # an AUROC surely below this means that the detector has the family backwards


def family_state(n: int, alarmed: bool, auroc_upper: float, min_n: int = 10, *, degraded: bool = False) -> FamilyState:
    """State of a family; only the sequential alarms make it evade or degrade, intervals are for display.

    n: samples measured. auroc_upper: upper bound of the AUROC, in [0, 1]. degraded: it has fallen below its own
    baseline, which does not say that it evades.
    An alarm is a proof at any n, so it goes before `insufficient`. Source: method section 2.
    """
    if alarmed:
        return "inverted" if auroc_upper < INVERTED_BELOW else "evading"
    if degraded:
        return "degraded"
    return "insufficient" if n < min_n else "detected"


def source_state(n: int, alarmed: bool, min_n: int = 10) -> SourceState:
    """State of a real source, from its own sequential alarm. Source: method section 2."""
    if alarmed:
        return "misjudged"
    return "insufficient" if n < min_n else "ok"
