"""What the correcting commands ask for: their words checked, then carried out."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.app import open_for
from daemon.corrections.carrying_out import Corrected, correct
from daemon.corrections.model import FamilyPart, Relabel
from daemon.corrections.naming import last_day
from daemon.corrections.selecting import unique
from daemon.errors import BadInputError
from daemon.model import FEEDBACK, Label
from daemon.settings import Settings
from daemon.slug import complaint, is_slug

LONGEST_SOURCE = 200  # characters of a source that a person names


def relabel(
    settings: Settings,
    prefixes: Sequence[str],
    label: Label | None,
    family: str | None,
    source: str | None,
    actor: str,
    reason: str,
) -> Corrected:
    """Say what samples are; label None: the deliveries decide again.

    Raises BadInputError: an unknown sample, a family's name that is none, a family that is left open and disputed.
    """
    if family is not None:
        _check_slug(family)
    if source is not None:
        _check_source(source)
    said = None if label is None else Relabel(label, family, source)
    digests = resolved(settings, prefixes)
    return correct(settings, lambda samples, at: samples.relabel(digests, said, reason, actor, at))


def rename(settings: Settings, old: str, new: str, actor: str, reason: str) -> Corrected:
    """Call a family otherwise. Raises BadInputError: no such family, the name is taken, is none or is its own."""
    _check_slug(new)
    if new == old:
        raise BadInputError(f"{old} is the name it has; give the new one second: `families rename OLD NEW`")
    return correct(settings, lambda samples, at: samples.rename_family(old, new, reason, actor, at))


def merge(settings: Settings, name: str, into: str, actor: str, reason: str) -> Corrected:
    """Make one family of two. Raises BadInputError: no such family, or one is retired or an anchor alone."""
    return correct(settings, lambda samples, at: samples.merge_families(name, into, reason, actor, at))


def split(
    settings: Settings, name: str, new: str, part: FamilyPart, prefixes: Sequence[str], actor: str, reason: str
) -> Corrected:
    """Make a part of a family one of its own: what meets the conditions, or the samples that are named.

    Raises BadInputError: no such family, the name is taken or is none, nothing would be split off, no date.
    """
    _check_slug(new)
    if part.released_after is not None:
        try:
            last_day(part.released_after)
        except ValueError as error:
            raise BadInputError(str(error)) from error
    digests = resolved(settings, prefixes) if prefixes else []
    return correct(settings, lambda samples, at: samples.split_family(name, new, part, digests, reason, actor, at))


def retire(settings: Settings, name: str, undo: bool, actor: str, reason: str) -> Corrected:
    """Measure, test and gate a family no longer, or again. Raises BadInputError: no such family."""
    return correct(settings, lambda samples, at: samples.retire_family(name, undo, reason, actor, at))


def anchor(settings: Settings, name: str, undo: bool, actor: str, reason: str) -> Corrected:
    """Let no head learn from a family, or let them again. Raises BadInputError: no such family."""
    return correct(settings, lambda samples, at: samples.anchor_family(name, undo, reason, actor, at))


def _check_slug(name: str) -> None:
    if not is_slug(name):
        raise BadInputError(complaint(name))


def _check_source(name: str) -> None:
    if name == FEEDBACK:
        raise BadInputError(f"the source {FEEDBACK!r} is kept for what people report; `sidwatch feedback` reports")
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_SOURCE:
        raise BadInputError(f"{name[:LONGEST_SOURCE]!r} names no source: 1 to {LONGEST_SOURCE} printable characters")


def resolved(settings: Settings, prefixes: Sequence[str]) -> list[str]:
    """The sha256 of each sample that a person named. Raises BadInputError when one is unknown or not unique."""
    with open_for(settings, read_only=True) as store:
        return list(dict.fromkeys(store.samples.samples_named(unique(prefixes))))
