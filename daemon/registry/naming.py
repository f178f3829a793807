"""What a person may call a version: its id, or what it is at the moment."""

from __future__ import annotations

from daemon.errors import NotFoundError
from daemon.model import VersionRecord
from daemon.ports import Registry

ALIASES = ("champion", "challenger", "previous")
_WANTS = ("challenger", "waiting", "shadow", "held")  # states of a version that is not in force and was not refused


def challenger(registry: Registry) -> VersionRecord | None:
    """The newest version that wants the champion's place: made to follow it, or imported; not refused."""
    champion = registry.champion()
    parents = {None, champion.id if champion else None}
    wanting = [v for v in registry.versions() if v.state in _WANTS and v.parent in parents and v != champion]
    return wanting[-1] if wanting else None


def version_named(registry: Registry, name: str) -> VersionRecord:
    """A version by its id, the id's first part (`v0002`) or alias. Raises NotFoundError when there is none."""
    if name not in ALIASES:
        by_number = [version for version in registry.versions() if version.id.partition("-")[0] == name]
        return by_number[0] if len(by_number) == 1 else registry.version(name)
    found = {"champion": registry.champion, "previous": registry.previous}.get(name, lambda: challenger(registry))()
    if found is None:
        raise NotFoundError(f"there is no {name} now; `sidwatch models list` shows the versions")
    return found
