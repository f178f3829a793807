"""Thresholds, cross-fitting and calibration: nothing is judged by a head that has seen it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daemon.errors import BadInputError
from daemon.heads.calibration import fit_platt
from daemon.heads.crossfit import fold_heads, held_out_scores
from daemon.heads.pooling import pool_statistics
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import solve
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.heads.threshold import conformal_threshold, left_out_source_thresholds
from daemon.model import FOLDS, Subject

SETTINGS = HeadSettings()


def thresholds_of(world, statistics, alpha=0.05, **options):
    pooled = pool_statistics(statistics, SETTINGS.min_group)
    return left_out_source_thresholds(pooled, statistics, world, SETTINGS, alpha, **options)


def test_the_left_out_threshold_is_that_of_heads_solved_without_each_source(world, learn):
    statistics = learn(world)
    result = thresholds_of(world, statistics)
    for profile in ("raw", "laundered"):
        rows = world[profile]
        scores = {}
        for source in sorted({s for s in rows.subjects if s.kind == "source"}):
            rest = {key: group.moments() for key, group in statistics.items() if key.subject != source}
            mine = np.array([s == source for s in rows.subjects])
            scores[source.name] = solve(rest, SETTINGS).scores(rows.vectors[mine])
        value = result[profile].value
        assert result[profile].method == "left_out_source"
        assert result[profile].pictures == 240
        assert min(abs(value - score) for part in scores.values() for score in part) < 1e-7
        rates = {name: (part > value + 1e-7).mean() for name, part in scores.items()}
        assert dict(result[profile].left_out) == pytest.approx(rates)
        assert 0.05 - 1 / 40 < np.mean(list(rates.values())) <= 0.05 + 1e-9


def test_sources_weigh_the_same_whatever_their_number_of_pictures(world, learn):
    statistics = learn(world)
    rows = world["raw"]
    odd = Subject("source", "source_0")
    mine = np.array([s == odd for s in rows.subjects])
    many = np.concatenate([np.arange(len(rows)), np.repeat(np.flatnonzero(mine), 9)])
    repeated = replace(
        rows,
        vectors=rows.vectors[many],
        synthetic=rows.synthetic[many],
        subjects=tuple(rows.subjects[i] for i in many),
    )
    one, ten = thresholds_of({"raw": rows}, statistics), thresholds_of({"raw": repeated}, statistics)
    assert ten["raw"].value == pytest.approx(one["raw"].value)
    assert ten["raw"].pictures == one["raw"].pictures + 9 * 40


def test_the_cap_limits_the_pictures_per_source(world, learn):
    assert thresholds_of(world, learn(world), cap=7)["raw"].pictures == 6 * 7


def test_a_source_never_learned_counts_as_left_out(world, learn):
    statistics = learn(world)
    stranger = Subject("source", "source_5")
    rest = {key: group for key, group in statistics.items() if key.subject != stranger}
    with_it, without_it = thresholds_of(world, statistics), thresholds_of(world, rest)
    # the other five are scored by heads that lack one source more
    assert without_it["raw"].pictures == with_it["raw"].pictures
    assert set(without_it["raw"].left_out) == set(with_it["raw"].left_out)


def test_too_few_sources_give_no_left_out_threshold(world_of, learn):
    world = world_of(sources=4)
    assert thresholds_of(world, learn(world)) == {}


@pytest.mark.parametrize(("m", "alpha"), [(19, 0.05), (20, 0.05), (99, 0.01), (100, 0.3)])
def test_the_conformal_threshold_is_the_ceil_m_plus_1_times_1_minus_alpha_th_smallest(m, alpha):
    scores = np.random.default_rng(3).permutation(m).astype(np.float64)
    rank = int(np.ceil(round((m + 1) * (1 - alpha), 9)))
    threshold = conformal_threshold(scores, [Subject("source", "one")] * m, alpha)
    assert threshold.value == rank - 1  # the scores are 0 .. m - 1
    assert threshold.method == "split_conformal"


def test_too_few_reals_give_an_infinite_threshold_that_says_so():
    threshold = conformal_threshold(np.arange(18.0), [Subject("source", "one")] * 18, 0.05)
    assert threshold.value == float("inf")
    assert threshold.note == "18 calibration reals are too few for a rate of 0.05: nothing is called synthetic"
    assert conformal_threshold(np.zeros(0), [], 0.05).value == float("inf")


def test_the_conformal_threshold_weighs_sources_equally():
    scores = np.concatenate([np.arange(180.0), 1000.0 + np.arange(20.0)])
    sources = [Subject("source", "large")] * 180 + [Subject("source", "small")] * 20
    threshold = conformal_threshold(scores, sources, 0.1)
    assert 1015.0 <= threshold.value <= 1017.0  # unweighted it would be 180 or so


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_a_rate_outside_0_and_1_is_refused(alpha):
    with pytest.raises(BadInputError, match="between 0 and 1"):
        conformal_threshold(np.zeros(3), [Subject("source", "one")] * 3, alpha)


def test_learned_rows_are_scored_by_the_head_that_has_not_seen_their_fold(world, learn):
    statistics = learn(world)
    moments = {key: group.moments() for key, group in statistics.items()}
    head, folds = solve(moments, SETTINGS), fold_heads(statistics, SETTINGS)
    rows = world["raw"]
    learned = rows.learned_revision > 0
    scores = held_out_scores(head, folds, rows.vectors, rows.folds, learned)
    np.testing.assert_allclose(scores[~learned], head.scores(rows.vectors)[~learned], atol=1e-12)
    for f in range(FOLDS):
        without = solve({key: group.moments(f) for key, group in statistics.items()}, SETTINGS)
        mine = learned & (rows.folds == f)
        assert mine.any()
        np.testing.assert_allclose(scores[mine], without.scores(rows.vectors[mine]), atol=1e-7)


def test_a_fold_head_does_not_depend_on_the_rows_of_its_fold(world, learn):
    rows = world["raw"]
    vectors = rows.vectors.copy()
    vectors[rows.folds == 3] += np.float16(7.0)
    changed = {**world, "raw": replace(rows, vectors=vectors)}
    before, after = fold_heads(learn(world), SETTINGS), fold_heads(learn(changed), SETTINGS)
    assert before[3].units.tobytes() == after[3].units.tobytes()
    assert before[3].centre.tobytes() == after[3].centre.tobytes()
    assert before[2].centre.tobytes() != after[2].centre.tobytes()


def test_a_small_family_stays_in_the_fold_heads(world, learn):
    statistics = learn(world)
    small = GroupKey(Subject("family", "small"), "raw")
    folds = np.array([0, 0, 1, 2, 3], np.int8)
    statistics[small] = GroupStatistics.empty(24).add(world["raw"].vectors[:5], folds)
    assert all(small in head.keys for head in fold_heads(statistics, SETTINGS))


def test_platt_recovers_the_sigmoid_that_made_the_labels():
    rng = np.random.default_rng(5)
    scores = rng.normal(0.0, 3.0, 40_000)
    synthetic = rng.random(len(scores)) < 1.0 / (1.0 + np.exp(-(0.7 * scores)))
    calibration = fit_platt(scores, synthetic)
    assert calibration.method == "platt"
    assert calibration.a == pytest.approx(0.7, abs=0.03)
    assert calibration.b == pytest.approx(0.0, abs=0.05)
    assert calibration.probability(np.array([0.0]))[0] == pytest.approx(0.5, abs=0.02)


def test_platt_weighs_both_labels_the_same():
    rng = np.random.default_rng(6)
    scores = np.concatenate([rng.normal(1.0, 1.0, 200), rng.normal(-1.0, 1.0, 20_000)])
    calibration = fit_platt(scores, np.arange(len(scores)) < 200)
    assert calibration.a == pytest.approx(2.0, abs=0.3)
    assert calibration.b == pytest.approx(0.0, abs=0.25)


def test_platt_stays_finite_on_separable_scores_and_rising_on_inverted_ones():
    synthetic = np.arange(40) < 20
    separable = fit_platt(np.where(synthetic, 50.0, -50.0) + np.arange(40), synthetic)
    assert np.isfinite([separable.a, separable.b]).all()
    assert separable.probability(np.array([60.0]))[0] > 0.9
    assert fit_platt(np.where(synthetic, -1.0, 1.0), synthetic).a > 0


def test_platt_without_both_labels_says_that_it_did_not_calibrate():
    calibration = fit_platt(np.array([1.0, 2.0]), np.array([True, True]))
    assert (calibration.method, calibration.a, calibration.b) == ("none", 1.0, 0.0)
    with pytest.raises(BadInputError, match="not finite"):
        fit_platt(np.array([np.nan]), np.array([True]))
