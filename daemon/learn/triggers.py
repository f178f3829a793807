"""What asks for a new version: no champion yet, or alarmed families with enough behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.model import Episode, FamilyRow, Subject, VersionRecord
from daemon.settings import LearnSettings


@dataclass(frozen=True, slots=True)
class Attempts:
    """What the registry says of challengers to the present champion that were made for one family."""

    count: int  # verdicts so far
    groups: int  # groups of the family at the last of them
    rejected: int  # how many of them found harm to others
    last_rejected: bool  # and whether the last one did


def may_start(subjects: Sequence[FamilyRow], settings: LearnSettings) -> bool:
    """Whether there is enough for a first champion."""
    enough = [row for row in subjects if row.samples >= settings.first_samples]
    known = [row for row in enough if row.trust != "untrusted" and not row.anchor]
    families = sum(row.subject.kind == "family" for row in known)
    sources = sum(row.subject.kind == "source" for row in known)
    return families >= settings.first_families and sources >= settings.first_sources


def due_triggers(
    episodes: Sequence[Episode],
    subjects: Sequence[FamilyRow],
    versions: Sequence[VersionRecord],
    champion: str,
    settings: LearnSettings,
    names: Mapping[str, str] | None = None,
) -> tuple[Subject, ...]:
    """The alarmed families that may be learned now, by name.

    A family from untrusted sources is measured, never learned. After a rejection the next weight is tried; when all
    were, or when nothing was proved, the family waits for more groups.
    """
    rows = {row.subject: row for row in subjects}
    due = []
    for episode in episodes:
        subject = Subject("family", episode.family)
        row = rows.get(subject)
        if episode.state != "alarmed" or row is None or not row.may_trigger:
            continue
        tried = attempts(versions, champion, subject, names)
        # Harm to others is met with less weight, at once; anything else needs more pictures of the family.
        gentler = tried.last_rejected and tried.rejected < len(settings.new_family_weights)
        if tried.count == 0 or gentler or row.groups >= tried.groups + settings.retry_after_groups:
            due.append(subject)
    return tuple(sorted(due))


def new_family_weight(tried: Sequence[Attempts], settings: LearnSettings) -> float:
    """The weight of new families in this attempt: one step down for every rejection."""
    step = max((one.rejected for one in tried), default=0)
    return settings.new_family_weights[min(step, len(settings.new_family_weights) - 1)]


def attempts(
    versions: Sequence[VersionRecord], champion: str, subject: Subject, names: Mapping[str, str] | None = None
) -> Attempts:
    """Derived from the verdicts in the registry, so that no kill can lose or double one.

    names: present names of the families that were renamed or merged since.
    """
    count, groups, rejected, last_rejected = 0, 0, 0, False
    for version in versions:
        if version.parent != champion or version.verdict is None:
            continue
        triggers = version.verdict.get("trigger_groups")
        stated = triggers.items() if isinstance(triggers, Mapping) else ()
        own = [int(groups_then) for name, groups_then in stated if (names or {}).get(name, name) == subject.name]
        if own:
            count += 1
            groups = max(groups, *own)
            last_rejected = version.verdict.get("decision") == "reject"
            rejected += last_rejected
    return Attempts(count, groups, rejected, last_rejected)
