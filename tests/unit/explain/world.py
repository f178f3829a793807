"""Families and real sources as Gaussians in the columns of the forensic encoder, without pictures or a database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.encoders.forensic import ForensicEncoder
from daemon.heads import GroupKey, GroupStatistics, HeadSettings, Origin, fit_version
from daemon.model import FOLDS, PROFILES, LabelledVectors, Profile, Subject, VersionRecord
from daemon.ports import StatisticsKey
from daemon.settings import EncoderSettings, Settings

AT = datetime(2030, 1, 1, tzinfo=UTC)
GROUPS = dict(ForensicEncoder().feature_groups)
DIMENSION = ForensicEncoder().dimension
REVISION = 1
_CHAMPIONS: dict[bytes, LoadedVersion] = {}  # by what they learned


@dataclass
class World:
    """Rows of every subject; those that are not `learned` came after the champion was solved."""

    seed: int = 0
    rows: dict[Profile, list[LabelledVectors]] = field(default_factory=lambda: {p: [] for p in PROFILES})

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def add(
        self, subject: Subject, shift: NDArray[np.float64], n: int = 40, *, per_group: int = 1, learned: bool = True
    ) -> None:
        """n pictures around `shift`, in groups of `per_group` that share half of what is random about them."""
        for profile in PROFILES:
            shared = np.repeat(self.random.normal(size=(-(-n // per_group), DIMENSION)), per_group, axis=0)[:n]
            own = self.random.normal(size=(n, DIMENSION))
            noise = own if per_group == 1 else (own + shared) / np.sqrt(2.0)
            self.rows[profile].append(_rows(subject, (shift + noise).astype(np.float16), per_group, learned))

    def all_rows(self, profile: Profile) -> LabelledVectors:
        return _joined(self.rows[profile])

    def statistics(self, profile: Profile) -> dict[GroupKey, GroupStatistics]:
        return {
            GroupKey(rows.subjects[0], profile): GroupStatistics.empty(DIMENSION).add(rows.vectors, rows.folds)
            for rows in self.rows[profile]
            if rows.learned_revision[0] > 0
        }

    def champion(self) -> LoadedVersion:
        """The version solved from what is learned; of the same rows it is solved once."""
        known = {p: _joined([r for r in self.rows[p] if r.learned_revision[0] > 0]) for p in PROFILES}
        learned = (known[p].vectors.tobytes() + repr(known[p].subjects).encode() for p in PROFILES)
        digest = hashlib.sha256(b"".join(learned)).digest()
        if digest not in _CHAMPIONS:
            _CHAMPIONS[digest] = self._solved(known)
        return _CHAMPIONS[digest]

    def _solved(self, known: Mapping[Profile, LabelledVectors]) -> LoadedVersion:
        statistics = {key: value for profile in PROFILES for key, value in self.statistics(profile).items()}
        origin = Origin("f" * 64, "update", "0", REVISION, {})
        artifact = fit_version(statistics, known, known, HeadSettings(ridge=0.01, tau=0.1), 0.05, origin)
        record = VersionRecord("v1", None, "f" * 64, "update", REVISION, "promoted", AT, "", "", None)
        return LoadedVersion(record, artifact)

    def context(self, samples: Any = None, **settings: Any) -> Context:
        """A context with the few ports that explaining reads."""
        ports = {name: None for name in Context.__dataclass_fields__ if name not in ("progress", "derived")}
        ports |= {
            "settings": Settings(**{"encoder": EncoderSettings(name="forensic"), **settings}),
            "samples": samples or Samples(self),
            "migrations": NeverMoved(),
        }
        return Context(**cast(Any, ports))


class NeverMoved:
    """No migrations."""

    def all(self) -> list[Any]:
        return []


@dataclass
class Samples:
    """The two questions that explaining asks of the sample store."""

    world: World
    gone: frozenset[Subject] = frozenset()  # subjects of which only statistics are left

    def labelled_vectors(
        self, fingerprint: str, profile: Profile, *, last_per_subject: int | None = None
    ) -> LabelledVectors:
        rows = self.world.all_rows(profile)
        return rows.take([i for i, subject in enumerate(rows.subjects) if subject not in self.gone])

    def statistics(self, fingerprint: str) -> Mapping[StatisticsKey, bytes]:
        return {
            (key.subject, key.profile): value.to_bytes()
            for profile in PROFILES
            for key, value in self.world.statistics(profile).items()
        }


def family(name: str) -> Subject:
    return Subject("family", name)


def in_group(name: str, length: float, random: np.random.Generator) -> NDArray[np.float64]:
    """A shift of that length that lies in one feature group."""
    shift = np.zeros(DIMENSION)
    columns = GROUPS[name]
    direction = random.normal(size=columns.stop - columns.start)
    shift[columns] = length * direction / np.linalg.norm(direction)
    return shift


def with_known(seed: int = 0) -> World:
    """Six cameras, whose differences sum to nothing, and three families that differ from them in the colours."""
    world = World(seed)
    cameras = world.random.normal(0.0, 0.1, (6, DIMENSION))
    for i, camera in enumerate(cameras - cameras.mean(axis=0)):
        world.add(Subject("source", f"camera_{i}"), camera, 200)
    for i in range(3):
        world.add(family(f"known_{i}"), in_group("colours", 4.0, world.random), 100)
    return world


def _rows(subject: Subject, vectors: NDArray[np.float16], per_group: int, learned: bool) -> LabelledVectors:
    n = len(vectors)
    number = np.arange(n) // per_group
    return LabelledVectors(
        np.arange(n, dtype=np.int64),
        np.full(n, subject.kind == "family"),
        (subject,) * n,
        tuple(f"{subject.name}/{i}" for i in number),
        tuple("train" if i % 4 else "calibration" for i in number),
        (number % FOLDS).astype(np.int8),
        np.full(n, REVISION if learned else 0, np.int64),
        (AT,) * n,
        vectors,
    )


def _joined(parts: Sequence[LabelledVectors]) -> LabelledVectors:
    return LabelledVectors(
        np.concatenate([p.sample_ids for p in parts]),
        np.concatenate([p.synthetic for p in parts]),
        tuple(s for p in parts for s in p.subjects),
        tuple(g for p in parts for g in p.groups),
        tuple(s for p in parts for s in p.splits),
        np.concatenate([p.folds for p in parts]),
        np.concatenate([p.learned_revision for p in parts]),
        tuple(t for p in parts for t in p.delivered_at),
        np.concatenate([p.vectors for p in parts]),
    )
