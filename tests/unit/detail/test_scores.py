from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daemon.detail.scores import histogram

LOGITS = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6))


@given(LOGITS, LOGITS)
def test_shares_of_both_sides_add_up_to_one_whatever_the_scores(family: np.ndarray, reals: np.ndarray) -> None:
    view = histogram(family, reals)
    assert view is not None
    assert abs(sum(view.family) - 1) < 1e-9
    assert abs(sum(view.reals) - 1) < 1e-9
    assert len(view.edges) == len(view.family) + 1 == len(view.reals) + 1
    assert view.edges == sorted(view.edges)


def test_without_a_side_there_is_nothing_to_compare() -> None:
    assert histogram(np.zeros(0), np.ones(3)) is None
    assert histogram(np.ones(3), np.zeros(0)) is None
