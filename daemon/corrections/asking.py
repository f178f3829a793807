"""What the correcting commands ask for: their words checked, then carried out."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.app import open_for
from daemon.corrections.carrying_out import Corrected, correct
from daemon.corrections.model import Relabel
from daemon.corrections.selecting import unique
from daemon.errors import BadInputError
from daemon.model import Label
from daemon.settings import Settings
from daemon.slug import complaint, is_slug


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
    if family is not None and not is_slug(family):
        raise BadInputError(complaint(family))
    said = None if label is None else Relabel(label, family, source)
    digests = resolved(settings, prefixes)
    return correct(settings, lambda samples, at: samples.relabel(digests, said, reason, actor, at))


def resolved(settings: Settings, prefixes: Sequence[str]) -> list[str]:
    """The sha256 of each sample that a person named. Raises BadInputError when one is unknown or not unique."""
    with open_for(settings, read_only=True) as store:
        return list(dict.fromkeys(store.samples.samples_named(unique(prefixes))))
