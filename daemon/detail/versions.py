"""Versions: the gate's questions, the model card, and what sets a version apart from its parent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from daemon.context import Context
from daemon.detail.views import ChangeView, CheckView, DifferenceView, VersionDetailView
from daemon.errors import BadInputError, CorruptArtifact
from daemon.registry.card import card
from daemon.registry.diff import Change, differences
from daemon.registry.facts import Facts, facts_of
from daemon.views import VersionView

_NUMBERS = ("champion", "challenger", "difference", "lower", "upper")


def version_detail(context: Context, view: VersionView) -> VersionDetailView:
    """Everything about a version. Raises BadInputError without such a version, CorruptArtifact when it is damaged."""
    record = context.registry.version(view.id)
    facts = facts_of(context.registry, context.samples, record)
    verdict: Mapping[str, Any] = facts.verdict or {}
    notes: list[str] = []
    return VersionDetailView(
        version=view,
        decision=verdict.get("decision"),
        reason=str(verdict.get("reason", "")),
        checks=[_check(check) for check in verdict.get("checks", ())],
        card=card(facts),
        difference=_difference(context, facts, notes),
        notes=notes,
    )


def _check(check: Mapping[str, Any]) -> CheckView:
    subject = check.get("subject")
    return CheckView(
        name=str(check["name"]),
        profile=str(check["profile"]),
        subject=str(subject[1]) if subject else "",
        n=int(check["n"]),
        outcome=str(check["outcome"]),
        **{name: check.get(name) for name in _NUMBERS},
    )


def _difference(context: Context, facts: Facts, notes: list[str]) -> DifferenceView | None:
    parent = facts.record.parent
    if parent is None:
        return None
    try:
        before = facts_of(context.registry, context.samples, context.registry.version(parent))
    except (CorruptArtifact, BadInputError) as error:
        notes.append(f"no comparison with {parent}: its files cannot be used ({type(error).__name__})")
        return None
    found = differences(before.contents, facts.contents, before.figures, facts.figures)
    return DifferenceView(
        parent=parent,
        values=_changes(found.values),
        groups=_changes(found.groups),
        figures=_changes(found.figures),
    )


def _changes(changes: Iterable[Change]) -> list[ChangeView]:
    return [ChangeView(key=change.key, before=change.before, after=change.after) for change in changes]
