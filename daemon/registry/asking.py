"""What the reading `models` commands ask for; all of it beside a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.app import open_for
from daemon.registry.card import card
from daemon.registry.diff import differences
from daemon.registry.exporting import exported_files, write_folder
from daemon.registry.facts import Facts, facts_of
from daemon.registry.naming import version_named
from daemon.settings import Settings


def known_facts(settings: Settings, *versions: str) -> tuple[Facts, ...]:
    """Of each version, named by id or alias. Raises BadInputError (no such version), CorruptArtifact."""
    with open_for(settings, read_only=True) as store:
        return tuple(facts_of(store.registry, store.samples, version_named(store.registry, name)) for name in versions)


def diff_versions(settings: Settings, before: str, after: str) -> dict[str, Any]:
    """How one version differs from another."""
    one, other = known_facts(settings, before, after)
    found = differences(one.contents, other.contents, one.figures, other.figures)
    return {"before": one.record.id, "after": other.record.id, **found.to_dict()}


def export_version(settings: Settings, version: str, folder: Path) -> dict[str, Any]:
    """Write a version into a folder of its own. Raises as `write_folder`."""
    (facts,) = known_facts(settings, version)
    files = exported_files(facts)
    write_folder(folder, files)
    return {"version": facts.record.id, "folder": str(folder), "files": {name: len(files[name]) for name in files}}


def card_of(settings: Settings, version: str) -> tuple[str, str]:
    """(the version's id, its model card)."""
    (facts,) = known_facts(settings, version)
    return facts.record.id, card(facts)
