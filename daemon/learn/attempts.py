"""Attempts: what the registry says of the challengers that were made for one family or real source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.champion import LoadedVersion
from daemon.model import Subject, VersionRecord


@dataclass(frozen=True, slots=True)
class Attempt:
    """One challenger that the gate judged for a subject."""

    version: str
    parent: str | None  # the champion that it was compared with
    learner: str  # mixture, linear, gradient, probe, concept
    groups: int  # groups of the subject when it was made
    decision: str  # of the gate: promote, hold, reject
    state: str  # what became of it: promoted, held, rejected, waiting, shadow
    harm: bool  # it stays out for what it does to others: harm is proved, or not excluded
    no_gain: bool  # the gate asked about the subject by itself, not in a mean over many, and no gain was proved
    at: datetime  # when it was made
    checks: tuple[Mapping[str, Any], ...]  # of the verdict, as stored


def key_of(subject: Subject) -> str:
    """How a verdict names a subject: a family by its name, a real source so that no family can be meant.

    >>> key_of(Subject("family", "flux")), key_of(Subject("source", "flux"))
    ('flux', 'source:flux')
    """
    return subject.name if subject.kind == "family" else f"source:{subject.name}"


def subject_of(key: str) -> Subject:
    """The subject that `key_of` named.

    >>> subject_of("source:flux")
    Subject(kind='source', name='flux')
    """
    kind, _, name = key.rpartition(":")
    return Subject("source", name) if kind == "source" else Subject("family", key)


def learner_of(version: LoadedVersion) -> str:
    """What made a version, the closed form by its read-out."""
    if version.record.learner == "closed_form":
        return str(version.artifact.about["settings"]["read_out"])
    return version.record.learner


def history(
    versions: Sequence[VersionRecord], subject: Subject, names: Mapping[str, str] | None = None
) -> tuple[Attempt, ...]:
    """Every attempt for the subject, oldest first; derived from the verdicts, so that no kill can lose or double one.

    names: present names of the families that were renamed or merged since.
    """
    found = []
    for version in versions:
        groups = None if version.verdict is None else _groups(version.verdict, subject, names or {})
        if version.verdict is None or groups is None:
            continue
        decision = str(version.verdict.get("decision"))
        checks = version.verdict.get("checks")
        kept = tuple(checks) if isinstance(checks, Sequence) else ()
        before = "mixture" if version.learner == "closed_form" else version.learner
        found.append(
            Attempt(
                version=version.id,
                parent=version.parent,
                learner=str(version.verdict.get("learner", before)),  # verdicts of before it was noted do not say
                groups=groups,
                decision=decision,
                state=version.state,
                # Verdicts of before this was noted: every rejection was for harm.
                harm=bool(version.verdict.get("harm", decision == "reject")),
                no_gain=_no_gain(kept, subject, names or {}),
                at=version.created_at,
                checks=kept,
            )
        )
    return tuple(found)


def against(attempts: Sequence[Attempt], champion: str) -> tuple[Attempt, ...]:
    """Those that were compared with that champion."""
    return tuple(attempt for attempt in attempts if attempt.parent == champion)


def current_round(attempts: Sequence[Attempt], groups: int, retry_after: int) -> tuple[Attempt, ...]:
    """The attempts that were made on about as much evidence as there is now; none: there is more than ever, or less.

    A round begins with an attempt and is over when the subject has `retry_after` groups more than it had then, or that
    many fewer, for some were forgotten or corrected: what failed then may have failed because of them. Fewer by one
    after the other begin a round for every `retry_after` of them, not for every one.
    attempts: of one champion, oldest first. groups: that the subject has now.
    """
    begun: int | None = None
    own: list[Attempt] = []
    for attempt in attempts:
        if begun is None or abs(attempt.groups - begun) >= retry_after:
            begun, own = attempt.groups, []
        own.append(attempt)
    return () if begun is None or abs(groups - begun) >= retry_after else tuple(own)


def _no_gain(checks: Sequence[Mapping[str, Any]], subject: Subject, names: Mapping[str, str]) -> bool:
    """Whether the verdict answers for the subject itself. One that keeps no checks counts as such."""
    for check in checks:
        if check.get("name") == "trigger" and check.get("subject"):
            kind, name = check["subject"]
            present = names.get(name, name) if kind == "family" else name
            if Subject(kind, present) == subject and check.get("outcome") in ("not_superior", "worse"):
                return True
    return not checks


def _groups(verdict: Mapping[str, object], subject: Subject, names: Mapping[str, str]) -> int | None:
    stated = verdict.get("trigger_groups")
    if not isinstance(stated, Mapping):
        return None
    own = [int(groups) for key, groups in stated.items() if names.get(key, key) == key_of(subject)]
    return max(own, default=None)
