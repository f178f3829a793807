"""Vectors: shards, their order, compaction, corruption, and what a killed process leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select
from store_testing import PRINT, T0, embed, fake, minutes, real, vectors

from daemon.errors import BadInputError, CorruptArtifact
from daemon.model import Subject
from store import Store
from store import tables as t
from store.vectors import SMALL_SHARDS


def fill(store: Store, n: int) -> list[int]:
    for number in range(n):
        one = fake(f"f{number}", group=f"g{number // 2}") if number % 2 else real(f"r{number}", group=f"g{number // 2}")
        store.samples.admit("man", "trusted", [one], str(number), minutes(number))
    return [sample.sample_id for sample in store.samples.without_vector(PRINT, "raw", n)]


def count(store: Store, table: object) -> int:
    with store.database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


def test_labelled_vectors_come_in_canonical_order_with_all_that_learning_needs(store: Store) -> None:
    ids = fill(store, 6)
    matrix = vectors(6)
    order = [3, 0, 5, 1, 4, 2]
    for profile in ("raw", "laundered"):
        store.samples.add_vectors(PRINT, profile, [ids[number] for number in order], matrix[order])
    found = store.samples.labelled_vectors(PRINT, "raw")
    assert found.sample_ids.tolist() == ids
    assert np.array_equal(found.vectors, matrix)
    assert found.synthetic.tolist() == [False, True] * 3
    assert found.subjects[:2] == (Subject("source", "kodak"), Subject("family", "stylegan2"))
    assert found.groups == ("g0", "g0", "g1", "g1", "g2", "g2")
    assert found.splits[0] == found.splits[1] and found.folds[0] == found.folds[1]
    assert found.learned_revision.tolist() == [0] * 6
    assert found.delivered_at == tuple(minutes(number) for number in range(6))
    assert (found.vectors.dtype, found.folds.dtype, found.sample_ids.dtype) == (np.float16, np.int8, np.int64)


def test_only_samples_with_both_profiles_are_measured(store: Store) -> None:
    ids = fill(store, 3)
    store.samples.add_vectors(PRINT, "raw", ids, vectors(3))
    assert len(store.samples.labelled_vectors(PRINT, "raw")) == 0
    assert store.samples.unscored(PRINT, 9) == []
    store.samples.add_vectors(PRINT, "laundered", ids[1:], vectors(2))
    assert store.samples.labelled_vectors(PRINT, "raw").sample_ids.tolist() == ids[1:]
    assert store.samples.unscored(PRINT, 9) == ids[1:]
    assert store.samples.queue(PRINT) == {"embed": (1, T0), "score": (2, minutes(1))}


def test_the_newest_of_each_subject_are_had_when_asked(store: Store) -> None:
    ids = fill(store, 8)
    embed(store)
    found = store.samples.labelled_vectors(PRINT, "raw", last_per_subject=2)
    assert found.sample_ids.tolist() == ids[4:]


def test_vectors_come_in_the_order_asked_for(store: Store) -> None:
    ids = fill(store, 4)
    store.samples.add_vectors(PRINT, "raw", ids[:2], vectors(4)[:2])
    store.samples.add_vectors(PRINT, "raw", ids[2:], vectors(4)[2:])
    asked = [3, 0, 3, 1]
    assert np.array_equal(store.samples.vectors_of(PRINT, "raw", [ids[n] for n in asked]), vectors(4)[asked])
    with pytest.raises(BadInputError, match="has no laundered vector"):
        store.samples.vectors_of(PRINT, "laundered", ids)


def test_a_vector_that_is_there_stays(store: Store) -> None:
    ids = fill(store, 2)
    store.samples.add_vectors(PRINT, "raw", ids[:1], vectors(1, seed=1))
    store.samples.add_vectors(PRINT, "raw", ids, vectors(2, seed=2))
    store.samples.add_vectors(PRINT, "raw", ids, vectors(2, seed=3))
    found = store.samples.vectors_of(PRINT, "raw", ids)
    assert np.array_equal(found, np.stack([vectors(1, seed=1)[0], vectors(2, seed=2)[1]]))
    assert count(store, t.vector) == 2


@pytest.mark.parametrize("wrong", [vectors(2).astype(np.float32), vectors(3), vectors(2) * np.float16(np.inf)])
def test_vectors_that_cannot_be_stored_are_refused(store: Store, wrong: np.ndarray) -> None:
    ids = fill(store, 2)
    with pytest.raises(BadInputError):
        store.samples.add_vectors(PRINT, "raw", ids, wrong)


def test_vectors_of_another_length_are_refused(store: Store) -> None:
    ids = fill(store, 2)
    store.samples.add_vectors(PRINT, "raw", ids[:1], vectors(1, d=8))
    with pytest.raises(BadInputError, match="of 9 numbers beside others of 8"):
        store.samples.add_vectors(PRINT, "raw", ids[1:], vectors(1, d=9))


def test_two_encoders_never_meet(store: Store) -> None:
    ids = fill(store, 2)
    store.samples.add_vectors(PRINT, "raw", ids, vectors(2, seed=1))
    store.samples.add_vectors("e" * 64, "raw", ids, vectors(2, d=3, seed=2))
    assert store.samples.vectors_of("e" * 64, "raw", ids).shape == (2, 3)
    assert len(store.samples.without_vector("d" * 64, "raw", 9)) == 2


def test_many_small_shards_become_one_and_say_the_same(store: Store) -> None:
    n = SMALL_SHARDS + 3
    ids = fill(store, n)
    matrix = vectors(n)
    for number, sample_id in enumerate(ids):
        store.samples.add_vectors(PRINT, "raw", [sample_id], matrix[number : number + 1])
    assert count(store, t.vector_shard) == 3
    assert len(list(store.layout.vectors.iterdir())) == 3
    assert np.array_equal(store.samples.vectors_of(PRINT, "raw", ids), matrix)


def test_a_changed_shard_is_found(open_at: Callable[..., Store]) -> None:
    store = open_at()
    ids = fill(store, 2)
    store.samples.add_vectors(PRINT, "raw", ids, vectors(2))
    (path,) = store.layout.vectors.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptArtifact, match="was changed"):
        open_at().samples.vectors_of(PRINT, "raw", ids)


def test_a_changed_and_a_lost_picture_are_found(store: Store) -> None:
    store.samples.admit("man", "trusted", [fake("a")], "1", T0)
    digest = fake("a").sha256
    path = store.layout.blob(digest)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptArtifact, match="was changed"):
        store.samples.blob(digest)
    path.unlink()
    with pytest.raises(CorruptArtifact, match="is missing"):
        store.samples.blob(digest)


class Killed(BaseException):
    """Stands for a kill between two lines: nothing catches it."""


def files(store: Store) -> set[Path]:
    return {path for path in store.layout.root.rglob("*") if path.is_file() and "sidwatch.db" not in path.name}


def die(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("where", ["store.intake.Batch.store", "store.vectors.register_shard"])
def test_a_kill_between_files_and_rows_leaves_the_old_state(
    store: Store, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    ids = fill(store, 2)
    before = files(store)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(where, die)
        store.samples.admit("man", "trusted", [fake("new")], "new", minutes(9))
        store.samples.add_vectors(PRINT, "raw", ids, vectors(2))
    assert store.samples.cursor("man") in ("1", "new")
    assert count(store, t.vector) == 0
    if where.startswith("store.intake"):
        assert len(files(store) - before) == 1  # the orphan picture
        (orphan,) = files(store) - before
        os.utime(orphan, (1, 1))
        assert store.sweep(time.time()) == 1
        assert files(store) == before
    receipt = store.samples.admit("man", "trusted", [fake("new")], "new", minutes(9))
    assert receipt.stored + receipt.repeated == 1
    assert store.samples.sample_counts()["active"] == 3


def test_a_kill_after_a_shard_was_written_leaves_an_orphan_that_the_next_start_sweeps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(store, 2)
    write = store.shards.write

    def write_and_die(*arguments: object) -> None:
        write(*arguments)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("store.shards.Shards.write", lambda _, *arguments: write_and_die(*arguments))
        store.samples.add_vectors(PRINT, "raw", ids, vectors(2))
    assert count(store, t.vector) == count(store, t.vector_shard) == 0
    assert store.sweep(time.time() + 60) == 1
    store.samples.add_vectors(PRINT, "raw", ids, vectors(2))
    assert store.sweep(time.time() + 60) == 0
    assert np.array_equal(store.samples.vectors_of(PRINT, "raw", ids), vectors(2))


def test_a_kill_during_compaction_keeps_every_vector(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    n = SMALL_SHARDS + 1
    ids = fill(store, n)
    matrix = vectors(n)
    for number in range(n - 1):
        store.samples.add_vectors(PRINT, "raw", [ids[number]], matrix[number : number + 1])
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("store.shards.Shards.forget", die)  # committed, the old files not yet removed
        store.samples.add_vectors(PRINT, "raw", ids[-1:], matrix[-1:])
    assert count(store, t.vector_shard) == 1
    assert store.sweep(time.time() + 60) == n
    assert np.array_equal(store.samples.vectors_of(PRINT, "raw", ids), matrix)


def test_half_written_files_are_swept_and_young_ones_stay(store: Store) -> None:
    old, young = store.layout.vectors / "a.parquet.tmp", store.layout.spool / "work"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert store.sweep(time.time() - 60) == 1
    assert not old.exists() and young.exists()
