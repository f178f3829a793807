"""How far is implausible: a far picture is, however far its whole group lies; the group's own scatter is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from daemon.heads import GroupKey
from daemon.heads.closed_form import ClosedFormHead
from daemon.learn.implausible import FEWEST, spreads
from daemon.model import FOLDS, Subject

DIMENSION = 24
LIMIT = 8.0


def ruler() -> tuple[ClosedFormHead, ...]:
    """Heads in whose units a vector's first 12 features are its activations."""
    keys = (GroupKey(Subject("family", "gan"), "raw"), GroupKey(Subject("source", "camera"), "raw"))
    head = ClosedFormHead(
        read_out="mixture",
        tau=1.0,
        source_tau=1.0,
        keys=keys,
        centre=np.zeros(DIMENSION),
        inverse_scale=np.ones(DIMENSION),
        units=np.eye(DIMENSION)[:, :12],
        means=np.zeros((2, 12)),
        half_norms=np.zeros(2),
        log_weights=np.zeros(2),
    )
    return (head,) * FOLDS


def group(count: int, seed: int = 0, centre: float = 0.0) -> NDArray[np.float16]:
    return np.random.default_rng(seed).normal(centre, 1.0, (count, DIMENSION)).astype(np.float16)


def folds(count: int) -> NDArray[np.int8]:
    return (np.arange(count) % FOLDS).astype(np.int8)


def found(vectors: NDArray[np.float16]) -> NDArray[np.float64]:
    return spreads(ruler(), vectors, folds(len(vectors)))


@pytest.mark.parametrize("centre", [0.0, 30.0])
def test_one_far_picture_is_found_wherever_its_group_lies(centre: float) -> None:
    vectors = group(60, centre=centre)
    vectors[7, :6] += 6.0
    far = found(vectors)
    assert np.flatnonzero(far > LIMIT).tolist() == [7]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3])
def test_many_far_pictures_hide_neither_behind_each_other_nor_others_behind_them(share: float) -> None:
    bad = round(share * 100)
    vectors = group(100)
    vectors[:bad, :6] += 10.0
    assert np.flatnonzero(found(vectors) > LIMIT).tolist() == list(range(bad))


def test_whoever_owns_most_of_a_group_owns_its_middle() -> None:
    vectors = group(100)
    vectors[:60, :6] += 10.0
    assert not (found(vectors)[:60] > LIMIT).any()


def test_what_no_unit_sees_is_not_far() -> None:
    vectors = group(60)
    vectors[7, 20] += 500.0
    assert not (found(vectors) > LIMIT).any()


def test_too_few_pictures_have_no_middle() -> None:
    vectors = group(FEWEST)
    vectors[0] += 100.0
    assert found(vectors[: FEWEST - 1]).tolist() == [0.0] * (FEWEST - 1)
    assert found(vectors)[0] > LIMIT


def test_copies_of_one_picture_do_not_make_the_honest_rest_implausible() -> None:
    vectors = np.concatenate([np.repeat(group(1), 40, axis=0), group(20, seed=1)])
    assert not (found(vectors) > LIMIT).any()


@given(st.integers(0, 10_000), st.integers(FEWEST, 60))
def test_neither_order_nor_place_matter_and_honest_gaussians_stay(seed: int, count: int) -> None:
    vectors = group(count, seed)
    order = np.random.default_rng(seed).permutation(count)
    whole = found(vectors)
    shuffled = spreads(ruler(), vectors[order], folds(count)[order])
    assert np.allclose(whole[order], shuffled, rtol=1e-12, atol=1e-12)
    assert (whole <= LIMIT).all()
