"""The simulated world of the benchmark of heads is what its docstring says, and the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.heads import state
from benchmarks.heads.world import CHUNK, DIMENSION, NEW_ROWS, World
from daemon.heads import GroupStatistics
from daemon.model import FOLDS

WORLD = World(families=20)


@pytest.fixture(scope="module")
def chunk():
    return next(WORLD.known(0, CHUNK))


def test_the_same_rows_come_every_time_and_others_in_every_chunk(chunk):
    (again,) = World(families=20).known(0, CHUNK)
    (later,) = WORLD.known(CHUNK, 2 * CHUNK)
    assert all(np.array_equal(one, other) for one, other in zip(chunk, again, strict=True))
    assert not np.array_equal(chunk[0], later[0])
    assert not np.array_equal(chunk[0][0], World(families=20, seed=4).new(0)[0][0])


def test_both_sides_are_as_large_and_spread_evenly_over_their_groups(chunk):
    vectors, groups, folds = chunk
    assert vectors.dtype == np.float16 and vectors.shape == (CHUNK, DIMENSION)
    assert np.bincount(groups).tolist() == [250] * 20 + [500] * 10
    assert WORLD.is_synthetic(groups).sum() == CHUNK // 2
    assert set(folds.tolist()) == set(range(FOLDS))
    assert [key.subject.kind for key in WORLD.keys] == ["family"] * 20 + ["source"] * 10


def test_rows_have_the_norm_of_clips_feature(chunk):
    norms = np.linalg.norm(chunk[0].astype(np.float64), axis=1)
    assert norms.mean() == pytest.approx(33.0, rel=0.02)


def test_the_families_shifts_are_almost_orthogonal_and_photographs_have_many_modes():
    families, sources = np.split(WORLD.shape.modes, [20])
    assert (families == families[:, :1]).all()  # one mode each
    unit = families[:, 0] / np.linalg.norm(families[:, 0], axis=1, keepdims=True)
    assert np.abs(unit @ unit.T - np.eye(20)).max() < 0.15
    apart = np.linalg.norm(sources[:, 0] - sources[:, 1], axis=1)
    assert (apart > 4.0).all()  # standard deviations within a mode


def test_the_new_rows_are_of_the_first_family_and_nobody_learns_what_is_held_out(chunk):
    vectors, groups, _ = WORLD.new(0)
    assert vectors.shape == (NEW_ROWS, DIMENSION) and not groups.any()
    assert not np.array_equal(vectors, WORLD.new(1)[0])
    held_out, held_groups, _ = WORLD.held_out(per_family=10)
    assert np.bincount(held_groups).tolist() == [10] * 20 + [20] * 10
    known = {row.tobytes() for row in chunk[0]}
    assert not any(row.tobytes() in known for row in held_out)


def test_the_state_on_the_disk_is_that_of_the_rows_and_made_once(tmp_path: Path, chunk, monkeypatch):
    state.prepare(tmp_path / "state", WORLD, [CHUNK])
    named = state.digests(tmp_path / "state", WORLD, CHUNK)
    files = state.read(tmp_path / "state", named)
    vectors, groups, folds = chunk
    for number in (0, 25):
        own = groups == number
        expected = GroupStatistics.empty(DIMENSION).add(vectors[own], folds[own])
        assert files[WORLD.keys[number]] == expected.to_bytes()
    assert state.state_bytes(tmp_path / "state", named) == sum(map(len, files.values()))
    ((rows, block),) = state.blocks(tmp_path / "state", CHUNK)
    assert rows == slice(0, CHUNK) and np.array_equal(block, vectors)
    assert np.array_equal(state.synthetic(tmp_path / "state", WORLD, CHUNK), WORLD.is_synthetic(groups))

    monkeypatch.setattr(World, "known", None)  # would fail if it were asked for a row again
    state.prepare(tmp_path / "state", WORLD, [CHUNK])
    with pytest.raises(TypeError):
        state.prepare(tmp_path / "state", World(families=5), [CHUNK])
