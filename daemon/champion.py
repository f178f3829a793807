"""The version in force, read and checked once and kept until another one takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from daemon.heads import VersionArtifact, held_out_scores, read
from daemon.model import LabelledVectors, Profile, Subject, VersionRecord
from daemon.ports import Registry


@dataclass(frozen=True)
class LoadedVersion:
    """A registry row with its artifact, fully validated."""

    record: VersionRecord
    artifact: VersionArtifact
    names: Mapping[str, str] = field(default_factory=dict)  # families that were renamed or merged since: present names

    def learned(self, revisions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which rows this version may have learned, from the first revision that ever took each in (0: none).

        One that was taken out since, and perhaps learned again, still shaped this version if that came later. If it
        came earlier, the head of its fold has not seen the row either: cross-fitting it is right in both cases.
        """
        return (revisions > 0) & (revisions <= self.record.statistics_revision)

    def held_out(self, rows: LabelledVectors) -> NDArray[np.float64]:
        """A logit for every row by a head that has not learned it, float64 (n,)."""
        artifact = self.artifact
        learned = self.learned(rows.learned_revision)
        return held_out_scores(artifact.head, artifact.fold_heads, rows.vectors, rows.folds, learned)

    @property
    def known(self) -> frozenset[Subject]:
        """The families and real sources that it has learned, whether or not its head models them as groups."""
        groups = self.artifact.about.get("statistics", {}).get("groups", ())
        trained = frozenset(Subject(group["kind"], group["name"]) for group in groups if group["modelled"])
        return frozenset(Subject(kind, self.present(name)) for kind, name in self.artifact.head.subjects or trained)

    def present(self, family: str) -> str:
        """What a family that it names is called by now."""
        return self.names.get(family, family)

    def threshold(self, profile: Profile) -> float:
        """The logit above which a picture is called synthetic; +inf when nothing is."""
        return self.artifact.thresholds[profile].value


def load_version(registry: Registry, version: VersionRecord) -> LoadedVersion:
    """Read a version; raises CorruptArtifact when anything is not as recorded."""
    tensors, manifest = registry.artifact(version.id)
    return LoadedVersion(version, read(tensors, manifest), registry.family_names())


class ChampionCache:
    """Reads the champion's row every time, its files only when it changed."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = Lock()
        self._loaded: LoadedVersion | None = None

    def get(self) -> LoadedVersion | None:
        """The champion, or None before the first one. Raises CorruptArtifact."""
        record = self._registry.champion()
        with self._lock:
            if record is None:
                return None
            if self._loaded is None or self._loaded.record.id != record.id:
                self._loaded = load_version(self._registry, record)
            names = self._registry.family_names()
            if names != self._loaded.names:
                self._loaded = replace(self._loaded, names=names)
            return self._loaded
