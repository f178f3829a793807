from __future__ import annotations

import numpy as np

from daemon.evaluate.looks import MARGINS, excess_penalty, group_weights, margin_counts, nearest_families
from daemon.model import Subject


def test_a_family_of_many_pictures_weighs_as_much_as_one_of_few() -> None:
    subjects = [Subject("family", "many")] * 30 + [Subject("family", "few")] * 3 + [Subject("source", "camera")] * 5
    weights = group_weights(subjects)
    assert np.isclose(weights.sum(), 1)
    assert np.allclose([weights[:30].sum(), weights[30:33].sum(), weights[33:].sum()], [0.25, 0.25, 0.5])


def test_uncorrelated_activations_exceed_chance_by_nothing_at_any_size_and_correlated_ones_do() -> None:
    rng = np.random.default_rng(5)
    for n in (50, 400, 3200):
        independent = rng.normal(size=(n, 12)) * rng.uniform(0.2, 5, 12)
        even = np.full(n, 1 / n)
        assert abs(excess_penalty(independent, even)) < 0.15 * np.sqrt(12 * 11 / n)
        mixed = independent @ rng.normal(size=(12, 12))
        assert excess_penalty(mixed, even) > 1.0


def test_rows_of_unequal_weight_exceed_chance_by_nothing_either() -> None:
    rng = np.random.default_rng(6)
    weights = rng.uniform(0.1, 3, 500)
    weights /= weights.sum()
    found = [excess_penalty(rng.normal(size=(500, 10)), weights) for _ in range(20)]
    assert abs(np.mean(found)) < 0.02


def test_margins_are_counted_cumulatively_up_to_all_of_them() -> None:
    counts = margin_counts(np.array([-9.0, -0.4, 0.0, 3.0, 30.0]))
    assert len(counts) == len(MARGINS) + 1
    assert dict(zip(MARGINS, counts, strict=False)) == {
        -8.0: 1, -4.0: 1, -2.0: 1, -1.0: 1, -0.5: 1, 0.0: 3, 0.5: 3, 1.0: 3, 2.0: 3, 4.0: 4, 8.0: 4,
    }  # fmt: skip
    assert counts[-1] == 5


def test_the_nearest_family_is_the_one_whose_mean_is_nearest_and_never_a_camera() -> None:
    activations = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0], [9.0, 9.0], [1.0, 0.1]])
    subjects = [Subject("family", "a"), Subject("family", "a"), Subject("family", "b"), Subject("family", "c")]
    found = nearest_families(activations, [*subjects, Subject("source", "camera")])
    assert found["a"] == ("b", 3.0)
    assert found["b"] == ("a", 3.0)
    assert found["c"][0] == "b"
    assert nearest_families(activations[:2], subjects[:2]) == {}
