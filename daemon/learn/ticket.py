"""The ticket: what is missing before a family that evades can be learned, from the verdicts and from counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from daemon.learn.attempts import Attempt
from daemon.learn.policy import Stuck
from daemon.learn.triggers import Trigger
from daemon.model import FamilyRow

Reason = Literal["anchor", "sources", "samples", "no_gain", "harm"]
_DONE = {"hold": "held", "reject": "rejected", "promote": "let pass"}
_NTH = {1: "a second", 2: "a third", 3: "a fourth"}


@dataclass(frozen=True, slots=True)
class Missing:
    """What a person can bring or decide."""

    reason: Reason
    samples: int  # of the subject, of groups of their own; 0: not known, or not the question
    sources: int  # independent ones that deliver it
    text: str  # one line


def missing(trigger: Trigger, row: FamilyRow | None, stuck: Stuck, margins: Mapping[str, float]) -> Missing:
    """What would let a challenger pass.

    row: what the store knows of the subject; None: nothing is left of it. margins: name of a check -> the loss that it
    allows (macro_mean: AP, the rates: share of reals). Numbers of samples follow from the width of the verdict's
    bounds, which shrinks with the square root of n: they hold if the figures stay as they are.
    """
    name = trigger.subject.name
    if row is None:
        return Missing("samples", 0, 0, f"no labelled sample of {name} is left")
    if row.anchor:
        return Missing("anchor", 0, 0, f"{name} is an anchor, which no head may learn: `sidwatch families unanchor`")
    lacking = stuck.lacking
    best = _nearest(stuck.tried)
    samples = max(lacking.samples, 0 if best is None else best[1])
    if lacking.sources:
        return Missing("sources", samples, lacking.sources, _from_more_sources(row, samples, lacking.sources))
    if lacking.samples and not stuck.tried:
        return Missing("samples", samples, 0, f"{samples} more samples of {name}")
    if best is not None:
        return Missing("samples", samples, 0, f"about {samples} more samples of {name}, if its gain stays as it is")
    return _refused(name, stuck.tried, margins)


def said(trigger: Trigger, stuck: Stuck, found: Missing) -> str:
    """The ticket's line for people."""
    what = "is misjudged" if trigger.subject.kind == "source" else "evades"
    tried = ", ".join(f"{attempt.learner} {_DONE.get(attempt.decision, attempt.decision)}" for attempt in stuck.tried)
    return (
        f"{trigger.subject.name} {what} and cannot be learned yet ({tried or 'nothing tried'}); missing: {found.text}"
    )


def more_samples(n: int, difference: float, bound: float, target: float) -> int | None:
    """How many more samples bring a bound of a difference to the target if the difference stays; None: none do.

    The distance of bound and difference shrinks with the square root of n.

    >>> more_samples(25, 0.04, -0.04, 0.0)
    75
    """
    distance = abs(difference - target)
    same_side = (difference - target) * (difference - bound) > 0
    if not same_side or distance == 0.0 or not math.isfinite(bound):
        return None
    return max(1, math.ceil(n * ((difference - bound) / distance) ** 2) - n)


def _nearest(tried: Sequence[Attempt]) -> tuple[Attempt, int] | None:
    """The attempt whose gain is the nearest to being proved, and how many samples it wants; None: no gain was seen."""
    found = []
    for attempt in tried:
        check = _first(attempt, lambda c: c["name"] == "trigger_mean" and c["outcome"] == "not_superior")
        more = None if check is None or check["lower"] is None else _gain(check)
        if more is not None and attempt.decision == "hold":
            found.append((attempt, more))
    return min(found, key=lambda pair: pair[1], default=None)


def _gain(check: Mapping[str, Any]) -> int | None:
    if check["difference"] <= 0.0:
        return None
    return more_samples(int(check["n"]), float(check["difference"]), float(check["lower"]), 0.0)


def _refused(name: str, tried: Sequence[Attempt], margins: Mapping[str, float]) -> Missing:
    """Nobody saw a gain that more samples of it would prove: what else stood in the way."""
    for attempt in tried:
        check = _first(attempt, lambda c: c["name"] in margins and c["outcome"] == "undecided")
        if attempt.decision == "hold" and attempt.harm and check is not None:
            return Missing("harm", 0, 0, _not_excluded(name, attempt, check, margins[check["name"]]))
    for attempt in tried:
        check = _first(attempt, lambda c: c["name"] == "recall" and c["outcome"] == "undecided")
        if attempt.decision == "hold" and check is not None:
            text = (
                f"real photographs: what learned {name} has too few to place a threshold by and calls too few fakes "
                f"synthetic (`sidwatch models show {attempt.version}`)"
            )
            return Missing("harm", 0, 0, text)
    for attempt in tried:
        check = _first(attempt, lambda c: c["outcome"] in ("worse", "failed"))
        if attempt.decision == "reject" and check is not None:
            whom = check["subject"][1] if check["subject"] else check["name"].replace("_", " ")
            text = (
                f"a person: what learned {name} was proved worse on {whom} (`sidwatch models show {attempt.version}`)"
            )
            return Missing("harm", 0, 0, text)
    return Missing("no_gain", 0, 0, f"other features or cleaner samples: no challenger told {name} apart better")


def _not_excluded(name: str, attempt: Attempt, check: Mapping[str, Any], margin: float) -> str:
    loss = check["name"] == "macro_mean"
    bound, target = (check["lower"], -margin) if loss else (check["upper"], margin)
    more = None if bound is None else more_samples(int(check["n"]), float(check["difference"]), float(bound), target)
    of = "the other families" if loss else "real photographs"
    wanted = f"about {more} more samples of {of}" if more is not None else f"more samples of {of}"
    person = f"or a person (`sidwatch models show {attempt.version}`)"
    return f"{wanted} to exclude that learning {name} harms them, {person}"


def _from_more_sources(row: FamilyRow, samples: int, sources: int) -> str:
    name, there = row.subject.name, row.trusted_sources + row.known_sources
    if row.subject.kind == "source":  # a source is one source, for ever
        return f"a person: {name} is not trusted, so it teaches nothing by itself; `sidwatch update` learns it"
    count = f"{samples} more samples" if samples else "samples"
    if there == 0:
        return f"{count} of {name} from a trusted source, or from two known ones"
    which = f"{_NTH[there]} source" if sources == 1 and there in _NTH else f"{sources} more sources"
    return f"{count} of {name} from {which}"


def _first(attempt: Attempt, wanted: Any) -> Mapping[str, Any] | None:
    return next((check for check in attempt.checks if wanted(check)), None)
