"""Group statistics: exact, independent of batches, and refused when damaged."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import BadInputError, CorruptArtifact
from daemon.heads.statistics import BLOCK, GroupStatistics, Moments
from daemon.heads.tensors import load_tensors, save_tensors
from daemon.model import FOLDS

D = 12


def rows_and_folds(n: int, dimension: int = D, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, dimension)) * 30 + 5).astype(np.float16)
    return x, rng.integers(0, FOLDS, n).astype(np.int8)


def test_moments_are_the_sums_over_the_stored_float16_values():
    x, folds = rows_and_folds(500)
    moments = GroupStatistics.empty(D).add(x, folds).moments()
    exact = x.astype(np.float64)
    assert moments.count == 500
    np.testing.assert_allclose(moments.total, exact.sum(0), rtol=1e-13)
    np.testing.assert_allclose(moments.second, exact.T @ exact, rtol=1e-13)


def test_moments_merge_and_subtract_exactly():
    a, b = rows_and_folds(70, seed=1)[0], rows_and_folds(50, seed=2)[0]
    both = Moments.of(a) + Moments.of(b)
    left = both - Moments.of(b)
    assert (both.count, left.count) == (120, 70)
    np.testing.assert_allclose(left.total, Moments.of(a).total, rtol=1e-14)
    np.testing.assert_allclose(left.second, Moments.of(a).second, rtol=1e-14)
    with pytest.raises(BadInputError, match="cannot forget 120"):
        left - both


def test_moments_without_a_fold_are_those_of_the_other_folds_rows():
    x, folds = rows_and_folds(300)
    statistics = GroupStatistics.empty(D).add(x, folds)
    other = x[folds != 2].astype(np.float64)
    moments = statistics.moments(without_fold=2)
    assert moments.count == len(other)
    np.testing.assert_allclose(moments.second, other.T @ other, rtol=1e-13)


def test_going_from_rows_to_packed_moments_changes_no_bit_of_the_moments():
    dimension = 10 * BLOCK + 80
    x, _ = rows_and_folds(dimension // 2 + 1, dimension)
    folds = (np.arange(len(x)) % 2).astype(np.int8)  # two folds, so that each has packed blocks and a rest
    before = GroupStatistics.empty(dimension).add(x[:-1], folds[:-1])
    after = before.add(x[-1:], folds[-1:])
    assert not before.is_packed
    assert after.is_packed
    assert after.folds[0].packed.count == 2 * BLOCK
    for fold, of_fold in ((0, after.folds[0]), (1, after.folds[1])):
        expected = Moments.of(x[folds == fold])
        assert of_fold.moments().count == expected.count
        assert of_fold.total().tobytes() == expected.total.tobytes()
        assert of_fold.moments().second.tobytes() == expected.second.tobytes()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3 * BLOCK), max_size=6))
def test_the_bytes_do_not_depend_on_how_rows_are_cut_into_batches(cuts):
    x, folds = rows_and_folds(3 * BLOCK)
    whole = GroupStatistics.empty(D).add(x, folds)
    parts = GroupStatistics.empty(D)
    bounds = [0, *sorted(cuts), len(x)]
    for start, stop in pairwise(bounds):
        parts = parts.add(x[start:stop], folds[start:stop])
    assert parts.n == 3 * BLOCK
    assert parts.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("n", [0, 3, D // 2, D // 2 + 1, 2000])
def test_statistics_survive_the_round_trip_through_bytes(n):
    x, folds = rows_and_folds(n)
    statistics = GroupStatistics.empty(D).add(x, folds)
    again = GroupStatistics.from_bytes(statistics.to_bytes())
    assert again.n == n
    assert again.is_packed == (n > D / 2)
    assert again.to_bytes() == statistics.to_bytes()
    assert again.moments(3).second.tobytes() == statistics.moments(3).second.tobytes()


@pytest.mark.parametrize(
    ("vectors", "folds", "message"),
    [
        (np.full((1, D), np.nan, np.float16), np.zeros(1, np.int8), "not finite"),
        (np.full((1, D), np.inf, np.float16), np.zeros(1, np.int8), "not finite"),
        (np.zeros((1, D), np.float32), np.zeros(1, np.int8), "float16"),
        (np.zeros((1, D + 1), np.float16), np.zeros(1, np.int8), "12 features"),
        (np.zeros((1, D), np.float16), np.full(1, FOLDS, np.int8), "one fold"),
        (np.zeros((2, D), np.float16), np.zeros(1, np.int8), "one fold"),
    ],
)
def test_vectors_that_cannot_be_stored_are_refused(vectors, folds, message):
    with pytest.raises(BadInputError, match=message):
        GroupStatistics.empty(D).add(vectors, folds)


def damage(name: str, change):
    """Rewrite one tensor of good statistics; the file stays valid safetensors."""
    x, folds = rows_and_folds(2000)
    tensors = load_tensors(GroupStatistics.empty(D).add(x, folds).to_bytes(), "test")
    tensors[name] = change(tensors[name])
    return save_tensors(tensors)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("fold1.triangle", lambda a: a * np.nan),
        ("fold1.triangle", lambda a: a[:-1]),
        ("fold1.total", lambda a: a.astype(np.float32)),
        ("fold1.count", lambda a: a + 1),
        ("fold1.count", lambda a: -a),
        ("fold1.rows", lambda a: np.full_like(a, np.inf)),
        ("fold1.rows", lambda a: a[:, :-1]),
        ("fold1.rows", lambda a: np.zeros((BLOCK, D), np.float16)),
        ("fold0.rows", lambda a: a[0]),
        ("stranger", lambda a: a),
    ],
)
def test_damaged_statistics_are_refused(name, change):
    data = save_tensors({"stranger": np.zeros(3)}) if name == "stranger" else damage(name, change)
    with pytest.raises(CorruptArtifact, match="group statistics"):
        GroupStatistics.from_bytes(data)


def test_truncated_statistics_are_refused():
    data = GroupStatistics.empty(D).add(*rows_and_folds(50)).to_bytes()
    for length in (0, 4, 100, len(data) - 1):
        with pytest.raises(CorruptArtifact, match="not readable"):
            GroupStatistics.from_bytes(data[:length])
