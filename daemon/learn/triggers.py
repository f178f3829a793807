"""What asks for a new version: no champion yet, or alarmed families with enough behind them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from daemon.model import Episode, FamilyRow, Subject, VersionRecord
from daemon.settings import LearnSettings


@dataclass(frozen=True, slots=True)
class Attempts:
    """What the registry says of challengers to the present champion that were made for one family."""

    count: int  # verdicts so far
    groups: int  # groups of the family at the last of them
    harmed: int  # how many of them found harm to others, or could not exclude it
    last_harmed: bool  # and whether the last one did


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
    modelled: Collection[Subject],
    settings: LearnSettings,
    names: Mapping[str, str] | None = None,
) -> tuple[Subject, ...]:
    """The alarmed families that may be learned now, by name.

    modelled: what the champion knows; while there is no other family, no weight of new ones makes another challenger.
    A family from untrusted sources is measured, never learned. When harm to others was found or could not be excluded
    the next weight is tried; when all were, or when the gain was not proved, the family waits for more groups.
    """
    new = any(row.subject.kind == "family" and row.subject not in modelled for row in subjects)
    rows = {row.subject: row for row in subjects}
    due = []
    for episode in episodes:
        subject = Subject("family", episode.family)
        row = rows.get(subject)
        if episode.state != "alarmed" or row is None or not row.may_trigger:
            continue
        tried = attempts(versions, champion, subject, names)
        # Harm to others is met with less weight, at once; anything else needs more pictures of the family.
        gentler = new and tried.last_harmed and tried.harmed < len(settings.new_family_weights)
        if tried.count == 0 or gentler or row.groups >= tried.groups + settings.retry_after_groups:
            due.append(subject)
    return tuple(sorted(due))


def new_family_weight(tried: Sequence[Attempts], settings: LearnSettings) -> float:
    """The mixture weight of new families in this attempt: one step down for every harm."""
    step = max((one.harmed for one in tried), default=0)
    return settings.new_family_weights[min(step, len(settings.new_family_weights) - 1)]


def attempts(
    versions: Sequence[VersionRecord], champion: str, subject: Subject, names: Mapping[str, str] | None = None
) -> Attempts:
    """Derived from the verdicts in the registry, so that no kill can lose or double one.

    names: present names of the families that were renamed or merged since.
    """
    count, groups, harmed, last_harmed = 0, 0, 0, False
    for version in versions:
        if version.parent != champion or version.verdict is None:
            continue
        triggers = version.verdict.get("trigger_groups")
        stated = triggers.items() if isinstance(triggers, Mapping) else ()
        own = [int(groups_then) for name, groups_then in stated if (names or {}).get(name, name) == subject.name]
        if own:
            count += 1
            groups = max(groups, *own)
            # Verdicts of before this was noted: every rejection was for harm.
            last_harmed = bool(version.verdict.get("harm", version.verdict.get("decision") == "reject"))
            harmed += last_harmed
    return Attempts(count, groups, harmed, last_harmed)
