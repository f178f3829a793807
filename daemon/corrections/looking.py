"""What people decided, read: light, for commands that only show."""

from __future__ import annotations

from daemon.app import open_for
from daemon.corrections.model import FamilyFacts
from daemon.settings import Settings


def family_facts(settings: Settings) -> list[FamilyFacts]:
    """What people decided about every family, by name."""
    with open_for(settings, read_only=True) as store:
        return store.samples.families()
