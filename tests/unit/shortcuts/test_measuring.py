"""Metadata that differs separates, metadata that does not says nothing, and no group is on both sides of a fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder

from daemon.model import FileRow
from daemon.shortcuts.measuring import Separation, one_hot, separation
from tests.unit.shortcuts.files import FAKES, REALS, jpegs, pngs


def separated(batch: list[FileRow], others: list[FileRow]) -> Separation:
    found = separation(batch, others)
    assert found is not None
    return found


@pytest.mark.parametrize("n", [10, 40])
def test_png_fakes_among_jpeg_reals_are_told_apart_by_the_file_alone(n: int) -> None:
    found = separated(pngs(FAKES, n, seed=1), jpegs(REALS, 200, seed=2))
    assert found.auroc > 0.99
    assert found.lower > 0.5
    assert (found.n, found.groups) == (n, n)


def test_files_of_one_history_say_nothing() -> None:
    areas = [separated(jpegs(FAKES, 60, seed), jpegs(REALS, 200, 1000 + seed)).auroc for seed in range(8)]
    assert float(np.mean(areas)) == pytest.approx(0.5, abs=0.05)
    assert max(areas) < 0.7


def test_a_dozen_files_of_one_history_are_no_shortcut() -> None:
    """The lower end of a 95 % interval lies above the truth for one set in forty: asserted of many, never of one."""
    found = [separated(jpegs(FAKES, 10 + seed % 16, seed), jpegs(REALS, 60, seed + 20_000)) for seed in range(40)]
    assert max(each.auroc for each in found) <= 0.9
    # Cross-validation without a signal errs downwards, so nothing is said of the upper end.
    assert sum(each.lower > 0.5 for each in found) <= 5  # binomial of 40 and .025: above five once in 3,000


def test_one_quality_gives_a_batch_away_though_all_are_jpegs() -> None:
    rows = jpegs(FAKES, 30, seed=3)
    facts = replace(rows[0].facts, luminance=17.3, chrominance=21.0, tables="ab" * 8, exif=False)
    assert separated([replace(row, facts=facts) for row in rows], jpegs(REALS, 200, seed=4)).auroc > 0.95


def test_one_size_between_the_others_gives_a_batch_away() -> None:
    rows = [replace(row, width=1024, height=1024) for row in jpegs(FAKES, 30, seed=5)]
    assert separated(rows, jpegs(REALS, 200, seed=6)).auroc > 0.95


def test_the_answer_does_not_depend_on_the_order() -> None:
    fakes, reals = pngs(FAKES, 20, seed=7)[:10] + jpegs(FAKES, 20, seed=8)[10:], jpegs(REALS, 60, seed=9)
    found, again = separated(fakes, reals), separated(fakes[::-1], reals[::-1])
    assert again.auroc == pytest.approx(found.auroc, abs=1e-6)
    assert again.lower == pytest.approx(found.lower, abs=1e-6)


def test_a_group_votes_once_and_is_never_learned_beside_itself() -> None:
    """Fakes whose files are alike inside a group and nowhere else: seen in training they would be recognised."""
    rows = jpegs(FAKES, 60, seed=10)
    alike = [replace(row, facts=rows[i // 6 * 6].facts, group=rows[i // 6 * 6].group, fold=rows[i // 6 * 6].fold)
             for i, row in enumerate(rows)]  # fmt: skip
    alike = [replace(row, width=rows[i // 6 * 6].width, height=rows[i // 6 * 6].height) for i, row in enumerate(alike)]
    found = separated(alike, jpegs(REALS, 200, seed=11))
    assert found.groups == 10
    assert found.auroc < 0.85


def test_without_both_sides_in_a_fold_there_is_no_answer() -> None:
    assert separation([], jpegs(REALS, 20)) is None
    assert separation(jpegs(FAKES, 20), []) is None
    one_fold = [replace(row, fold=0) for row in jpegs(FAKES, 20)]
    assert separation(one_fold, jpegs(REALS, 20)) is None


@given(
    codes=arrays(np.intp, st.tuples(st.integers(2, 30), st.integers(1, 4)), elements=st.integers(0, 12)), data=st.data()
)
def test_one_hot_codes_are_those_of_scikit_learn(codes: NDArray[np.intp], data: st.DataObject) -> None:
    held = np.array(data.draw(st.lists(st.booleans(), min_size=len(codes), max_size=len(codes))))
    if held.all() or not held.any():
        held[0] = not held[0]
    encoder = OneHotEncoder(handle_unknown="ignore")
    wanted = encoder.fit_transform(codes[~held]), encoder.transform(codes[held])
    for found, own in zip(one_hot(codes, held), wanted, strict=True):
        assert found.shape == own.shape
        assert found.indptr.tolist() == own.indptr.tolist()
        assert found.indices.tolist() == own.indices.tolist()
        assert found.data.tolist() == own.data.tolist()
