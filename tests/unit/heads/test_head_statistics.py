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


def never():
    raise AssertionError("the rows that are left were read, though nothing needed them")


def assert_same_moments(one: GroupStatistics, other: GroupStatistics, rtol: float = 1e-12) -> None:
    for without in (None, *range(FOLDS)):
        left, right = one.moments(without), other.moments(without)
        assert left.count == right.count
        scale = max(float(np.abs(right.second).max(initial=0.0)), 1e-300)
        assert np.abs(left.second - right.second).max(initial=0.0) <= rtol * scale
        np.testing.assert_allclose(left.total, right.total, rtol=rtol, atol=rtol * scale)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.data())
def test_taking_rows_out_equals_never_having_added_them(n, data):
    x, folds = rows_and_folds(n)
    gone = np.zeros(n, bool)
    gone[data.draw(st.lists(st.integers(0, n - 1), unique=True))] = True
    whole = GroupStatistics.empty(D).add(x, folds)
    after = whole.subtract(x[gone][::-1], folds[gone][::-1], lambda: (x[~gone], folds[~gone]))
    rebuilt = GroupStatistics.empty(D).add(x[~gone], folds[~gone])
    assert (after.n, after.is_packed) == (rebuilt.n, rebuilt.is_packed)
    assert_same_moments(after, rebuilt)
    again = GroupStatistics.from_bytes(after.to_bytes())
    assert again.to_bytes() == after.to_bytes()
    if not after.is_packed:
        assert after.to_bytes() == rebuilt.to_bytes()


def test_kept_rows_are_taken_out_by_their_bytes_alone():
    x, folds = rows_and_folds(20, dimension=100)
    twice = GroupStatistics.empty(100).add(x, folds).add(x[:1], folds[:1])
    once = twice.subtract(x[:1], folds[:1], never)
    assert (once.n, once.is_packed) == (20, False)
    assert_same_moments(once, GroupStatistics.empty(100).add(x, folds))


def test_packed_moments_are_subtracted_without_reading_what_is_left():
    x, folds = rows_and_folds(1000)
    after = GroupStatistics.empty(D).add(x, folds).subtract(x[:400], folds[:400], never)
    assert after.is_packed
    assert_same_moments(after, GroupStatistics.empty(D).add(x[400:], folds[400:]))


def test_what_is_subtracted_can_be_added_again():
    x, folds = rows_and_folds(1000)
    whole = GroupStatistics.empty(D).add(x, folds)
    again = whole.subtract(x[300:700], folds[300:700], never).add(x[300:700], folds[300:700])
    assert_same_moments(again, whole)


def test_a_group_that_falls_to_half_the_dimension_keeps_its_rows_again():
    x, folds = rows_and_folds(30)
    after = GroupStatistics.empty(D).add(x, folds).subtract(x[6:], folds[6:], lambda: (x[:6], folds[:6]))
    assert not after.is_packed
    assert after.to_bytes() == GroupStatistics.empty(D).add(x[:6], folds[:6]).to_bytes()
    nothing = after.subtract(x[:6], folds[:6], never)
    assert nothing.to_bytes() == GroupStatistics.empty(D).to_bytes()


def test_a_thousand_rows_added_and_subtracted_leave_clip_like_moments_as_they_were():
    dimension, rng = 1024, np.random.default_rng(0)
    mean = rng.normal(0.0, 0.9, dimension)
    mean[:3] = (10.0, -8.0, 6.0)  # CLIP has a few features that dwarf the others
    x = mean + rng.normal(0.0, 0.45, (2600, dimension))
    x = (x * 33.0 / np.linalg.norm(x, axis=1).mean()).astype(np.float16)
    folds = rng.integers(0, FOLDS, len(x)).astype(np.int8)
    before = GroupStatistics.empty(dimension).add(x[:1600], folds[:1600])
    after = before.add(x[1600:], folds[1600:]).subtract(x[1600:], folds[1600:], never)
    one, other = after.moments(), before.moments()
    assert np.linalg.norm(one.second - other.second) <= 1e-15 * np.linalg.norm(other.second)
    np.testing.assert_allclose(one.second, other.second, rtol=1e-14)
    np.testing.assert_allclose(one.total, other.total, rtol=1e-14, atol=1e-12)


def test_vectors_that_the_statistics_do_not_hold_are_refused():
    x, folds = rows_and_folds(20, dimension=100)
    kept = GroupStatistics.empty(100).add(x[:10], folds[:10])
    with pytest.raises(BadInputError, match="do not hold"):
        kept.subtract(x[10:11], folds[10:11], never)
    with pytest.raises(BadInputError, match="do not hold"):
        kept.subtract(x[:1], (folds[:1] + 1) % FOLDS, never)
    with pytest.raises(BadInputError, match="out of statistics of 10"):
        kept.subtract(x[:11], folds[:11], never)
    many, of = rows_and_folds(200)
    packed = GroupStatistics.empty(D).add(many, np.zeros_like(of))
    with pytest.raises(BadInputError, match="that hold 0"):
        packed.subtract(many[:5], np.ones(5, np.int8), never)
    with pytest.raises(BadInputError, match="197 vectors are left of a group that must have 3"):
        packed.subtract(many[3:], np.zeros(197, np.int8), lambda: (many[3:], of[3:]))


@pytest.mark.parametrize(("n", "m"), [(2, 3), (2, 30), (30, 2), (300, 200)])
def test_merging_two_groups_equals_adding_the_rows_of_both(n, m):
    (a, fa), (b, fb) = rows_and_folds(n, seed=1), rows_and_folds(m, seed=2)
    one, other = GroupStatistics.empty(D).add(a, fa), GroupStatistics.empty(D).add(b, fb)
    both = GroupStatistics.empty(D).add(a, fa).add(b, fb)
    merged = one + other
    assert (merged.n, merged.is_packed) == (both.n, both.is_packed)
    assert_same_moments(merged, both)
    assert_same_moments(merged.subtract(b, fb, lambda: (a, fa)), one)  # and apart again
    assert GroupStatistics.from_bytes(merged.to_bytes()).to_bytes() == merged.to_bytes()
    with pytest.raises(BadInputError, match="cannot be merged"):
        merged + GroupStatistics.empty(D + 1)


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
        ("fold1.count", lambda a: a * 0),
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
