"""The watch: evidence that a champion is worse than the version before it, on pictures that came since."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.promote.watching import Watched, compare_live

MARGIN, ALPHA = 0.01, 0.01


def compared(
    champion: np.ndarray, previous: np.ndarray, synthetic: np.ndarray, groups: list[str] | None = None
) -> Watched:
    names = groups or [f"g{i}" for i in range(len(champion))]
    return compare_live(champion, previous, synthetic, names, MARGIN, ALPHA)


@pytest.mark.parametrize("side", [True, False])
def test_one_that_errs_where_the_other_does_not_is_proved_worse_on_either_side(side: bool) -> None:
    ours, theirs = np.zeros(30, bool), np.ones(30, bool)
    found = compared(ours, theirs, np.full(30, side))
    assert found.worse
    assert (found.fakes, found.reals) == ((30, 0) if side else (0, 30))


def test_a_better_or_an_equal_one_is_not() -> None:
    synthetic = np.arange(200) % 2 == 0
    right = np.random.default_rng(0).random(200) < 0.8
    assert not compared(right, right, synthetic).worse
    assert not compared(np.ones(200, bool), right, synthetic).worse


def test_one_group_is_one_vote() -> None:
    found = compared(np.zeros(30, bool), np.ones(30, bool), np.ones(30, bool), ["same"] * 30)
    assert (found.fakes, found.worse) == (1, False)


def test_equal_versions_looked_at_after_every_picture_are_seldom_accused() -> None:
    random, accused = np.random.default_rng(7), 0
    for _ in range(150):
        ours, theirs = random.random((2, 60)) < 0.8  # independent: they differ on a third of all pictures
        synthetic = random.random(60) < 0.5
        accused += any(compared(ours[:n], theirs[:n], synthetic[:n]).worse for n in range(5, 61, 5))
    assert accused <= 5  # at most .01 each: 1.5 expected at the bound


def test_one_that_catches_a_fifth_less_is_found_out() -> None:
    random, found = np.random.default_rng(8), 0
    for _ in range(20):
        theirs = random.random(400) < 0.9
        ours = theirs & (random.random(400) < 0.8)
        found += compared(ours, theirs, np.ones(400, bool)).worse
    assert found >= 19
