"""The jackknife against numerical derivatives, the bootstrap and the AP itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.evaluate import average_precision
from daemon.evaluate.intervals import cumulative_mass, replicate_average_precision, weighted_average_precision
from daemon.evaluate.jackknife import FakeSide, Jackknife, RealPool, jackknife

SCORES = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=30)


def found(
    reals: np.ndarray, groups: list[str], fakes: np.ndarray, fake_groups: list[str], pi: float = 0.5
) -> Jackknife:
    pool = RealPool.of(reals, groups)
    return jackknife(pool, FakeSide.of(pool, fakes, fake_groups, "synthetic"), pi)


def binormal(seed: int, m: int, n: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(size=m), random.normal(shift, 1.0, n)


def keys(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{k}" for k in range(n)]


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES, st.floats(0.05, 0.95))
def test_its_average_precision_is_the_average_precision_to_the_last_bit(
    reals: list[float], fakes: list[float], pi: float
) -> None:
    result = found(np.array(reals), keys("r", len(reals)), np.array(fakes), keys("f", len(fakes)), pi)
    assert result.ap == average_precision(reals, fakes, pi)


def test_it_is_the_derivative_of_the_weighted_average_precision() -> None:
    reals, fakes = binormal(5, 40, 12, 1.0)
    reals, fakes = np.round(reals, 1), np.round(fakes, 1)  # ties on both sides
    groups = [f"g{k % 17}" for k in range(40)]
    fake_groups = [f"g{k % 9}" for k in range(10)] + ["alone", "alone"]
    descending = np.argsort(-reals, kind="stable")
    total = 0.0
    for group in sorted({*groups, *fake_groups}):
        step = np.array([1e-5, -1e-5])
        real_weights = 1.0 + np.outer([g == group for g in groups], step)
        fake_weights = 1.0 + np.outer([g == group for g in fake_groups], step)
        mass = cumulative_mass(real_weights[descending])
        up, down = weighted_average_precision(reals[descending], mass, fakes, fake_weights, 0.3)
        total += ((up - down) / 2e-5) ** 2
    assert found(reals, groups, fakes, fake_groups, 0.3).standard_error == pytest.approx(np.sqrt(total), rel=1e-6)


def test_it_agrees_with_the_bootstrap_on_many_samples_with_shared_groups() -> None:
    reals, fakes = binormal(2, 1000, 400, 1.2)
    sides = (reals, keys("g", 1000)), (fakes, [f"g{k // 2}" for k in range(400)])
    drawn = replicate_average_precision(sides[0], [sides[1]], 0.5, 1000, seed=3)
    assert found(*sides[0], *sides[1]).standard_error == pytest.approx(drawn.std(), rel=0.08)
    assert drawn.mean() == pytest.approx(average_precision(reals, fakes), abs=0.005)


def test_the_order_of_samples_changes_no_figure() -> None:
    reals, fakes = binormal(3, 200, 60, 1.0)
    groups, fake_groups = np.array(keys("g", 200)), np.array([f"g{k // 3}" for k in range(60)])
    forward = found(reals, groups.tolist(), fakes, fake_groups.tolist())
    random = np.random.default_rng(4)
    first, second = random.permutation(200), random.permutation(60)
    shuffled = found(reals[first], groups[first].tolist(), fakes[second], fake_groups[second].tolist())
    assert shuffled.ap == forward.ap
    assert shuffled.standard_error == pytest.approx(forward.standard_error, rel=1e-12)
    assert shuffled.degrees_of_freedom == pytest.approx(forward.degrees_of_freedom, rel=1e-9)


def test_degrees_of_freedom_follow_the_groups_and_the_weight_of_the_few() -> None:
    reals, fakes = binormal(6, 2000, 100, 0.3)
    many = found(reals, keys("r", 2000), fakes, keys("f", 100)).degrees_of_freedom
    assert 30 < many <= 99
    bursts = found(reals, keys("r", 2000), fakes, [f"f{k // 10}" for k in range(100)]).degrees_of_freedom
    assert bursts <= 9
    near_perfect = found(reals, keys("r", 2000), fakes + 3.0, keys("f", 100)).degrees_of_freedom
    assert near_perfect < 0.5 * many  # few fakes lie where the reals are: they carry the whole error
    assert found(reals, keys("r", 2000), fakes, ["one"] * 100).degrees_of_freedom == 0.0


def test_scores_without_their_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="2 real scores came with 1 groups"):
        RealPool.of(np.array([0.0, 1.0]), ["a"])
