"""A small world of Gaussian groups: families and real sources with shifted means, in rounded float16."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from daemon.heads.learner import Origin
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.model import FOLDS, PROFILES, LabelledVectors, Profile, Subject

World = dict[Profile, LabelledVectors]
MakeWorld = Callable[..., World]


def make_world(
    families: int = 4, sources: int = 6, n: int = 40, dimension: int = 24, seed: int = 0, shift: float = 2.0
) -> World:
    """Rows of every subject under both profiles; every fifth group is calibration, every fifth holdout."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.2, 5.0, dimension)
    offset = rng.normal(0.0, 20.0, dimension)
    subjects = [Subject("family", f"family_{i}") for i in range(families)]
    subjects += [Subject("source", f"source_{i}") for i in range(sources)]
    world: World = {}
    centres = rng.normal(0.0, shift / np.sqrt(2.0), (len(subjects), dimension)) * (rng.random(dimension) < 0.5)
    for profile in PROFILES:
        move = rng.normal(0.0, 0.3, dimension)
        names = [subject for subject in subjects for _ in range(n)]
        x = np.concatenate([centre + move + rng.normal(size=(n, dimension)) for centre in centres])
        rows = len(names)
        number = np.tile(np.arange(n), len(subjects))
        splits = np.array(["train", "train", "calibration", "holdout", "train"])[number % 5]
        world[profile] = LabelledVectors(
            np.arange(rows, dtype=np.int64),
            np.array([subject.kind == "family" for subject in names]),
            tuple(names),
            tuple(f"{subject.name}/{i}" for subject, i in zip(names, number, strict=True)),
            tuple(splits.tolist()),
            ((number // 5) % FOLDS).astype(np.int8),
            np.where(splits == "train", 1, 0).astype(np.int64),
            (datetime(2026, 1, 1, tzinfo=UTC),) * rows,
            (x * scale + offset).astype(np.float16),
        )
    return world


def statistics_of(world: Mapping[Profile, LabelledVectors]) -> dict[GroupKey, GroupStatistics]:
    """Statistics of the learned rows of a world."""
    statistics: dict[GroupKey, GroupStatistics] = {}
    for profile, rows in world.items():
        for subject in sorted(set(rows.subjects)):
            keep = np.array([s == subject for s in rows.subjects]) & (rows.learned_revision > 0)
            empty = GroupStatistics.empty(rows.vectors.shape[1])
            statistics[GroupKey(subject, profile)] = empty.add(rows.vectors[keep], rows.folds[keep])
    return statistics


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def world_of() -> MakeWorld:
    return make_world


@pytest.fixture
def learn() -> Callable[[Mapping[Profile, LabelledVectors]], dict[GroupKey, GroupStatistics]]:
    return statistics_of


@pytest.fixture
def origin() -> Origin:
    return Origin("encoder-1", "update", "0.1.0", 1, {}, parent=None)


@pytest.fixture(scope="session")
def paper() -> Path:
    """The published heads and predictions: below SIDWATCH_TEST_DATA, or shared/data beside the checkout."""
    named = os.environ.get("SIDWATCH_TEST_DATA")
    data = Path(named) if named else Path(__file__).resolve().parents[3].parent / "shared" / "data"
    if not (data / "paper").is_dir():
        missing = f"no published heads in {data / 'paper'}; SIDWATCH_TEST_DATA names the folder"
        if os.environ.get("SIDWATCH_REQUIRE_TEST_DATA") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return data / "paper"
