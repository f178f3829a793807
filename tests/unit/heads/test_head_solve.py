"""The closed form: decorrelated units, both read-outs, and a solve that depends on nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from daemon.errors import BadInputError, ConfigurationError
from daemon.heads.closed_form import ClosedFormHead
from daemon.heads.pooling import group_weights, pool_moments, pool_statistics
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import solve, solve_pooled
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.model import Subject

SETTINGS = HeadSettings()


def moments_of(statistics):
    return {key: group.moments() for key, group in statistics.items()}


def rows_of(world, key):
    rows = world[key.profile]
    keep = np.array([s == key.subject for s in rows.subjects]) & (rows.learned_revision > 0)
    return rows.vectors[keep]


def standardised(head: ClosedFormHead, vectors):
    return (vectors.astype(np.float64) - head.centre) * head.inverse_scale


def total_covariance(head: ClosedFormHead, world, rows_to_columns):
    weights = group_weights(head.keys)
    parts = [rows_to_columns(rows_of(world, key)) for key in head.keys]
    second = sum(w * part.T @ part / len(part) for w, part in zip(weights, parts, strict=True))
    mean = sum(w * part.mean(0) for w, part in zip(weights, parts, strict=True))
    return second - np.outer(mean, mean)


def test_weights_are_half_to_families_half_to_sources_and_profiles_share_a_subjects_weight():
    a, b, s = Subject("family", "a"), Subject("family", "b"), Subject("source", "s")
    keys = [GroupKey(a, "laundered"), GroupKey(a, "raw"), GroupKey(b, "raw"), GroupKey(s, "raw")]
    assert group_weights(keys).tolist() == [0.125, 0.125, 0.25, 0.5]


@pytest.mark.parametrize("max_units", [3, 8, 64])
def test_activations_are_decorrelated_and_have_unit_within_group_variance(world, learn, max_units):
    head = solve(moments_of(learn(world)), replace(SETTINGS, max_units=max_units))
    assert head.units.shape[1] == min(max_units, len(head.keys) - 1)
    total = total_covariance(head, world, head.activations)
    off = total - np.diag(np.diagonal(total))
    assert np.abs(off).max() <= 1e-6
    assert (np.diff(np.diagonal(total)) <= 1e-9).all()

    between = (head.means * group_weights(head.keys)[:, None]).T @ head.means
    everything = total_covariance(head, world, lambda rows: standardised(head, rows))
    shifts = np.stack([standardised(head, rows_of(world, key)).mean(0) for key in head.keys])
    within = everything - (shifts * group_weights(head.keys)[:, None]).T @ shifts
    ridged = within + 0.01 * np.trace(within) / len(within) * np.eye(len(within))
    np.testing.assert_allclose(head.units.T @ ridged @ head.units, np.eye(head.units.shape[1]), atol=1e-8)
    np.testing.assert_allclose(total, head.units.T @ within @ head.units + between, atol=1e-8)


@pytest.mark.parametrize("ridge", [1e-4, 0.01, 0.5])
@pytest.mark.parametrize(("dimension", "n", "packed"), [(16, 40, True), (64, 200, True), (200, 40, False)])
def test_the_data_seen_are_decorrelated_whatever_ridge_and_dimension(world_of, learn, ridge, dimension, n, packed):
    world = world_of(dimension=dimension, n=n, seed=dimension)
    statistics = learn(world)
    assert {group.is_packed for group in statistics.values()} == {packed}
    head = solve_pooled(pool_statistics(statistics, 5), replace(SETTINGS, ridge=ridge))
    total = total_covariance(head, world, head.activations)
    assert np.abs(total - np.diag(np.diagonal(total))).max() <= 1e-6
    assert np.diagonal(total).min() > 0.0


def test_group_means_are_the_mean_activations_of_the_groups(world, learn):
    head = solve(moments_of(learn(world)), SETTINGS)
    for key, mean in zip(head.keys, head.means, strict=True):
        np.testing.assert_allclose(head.activations(rows_of(world, key)).mean(0), mean, atol=1e-9)


def test_the_linear_read_out_with_all_units_is_ridge_regression(world, learn):
    head = solve(moments_of(learn(world)), replace(SETTINGS, read_out="linear"))
    weights = group_weights(head.keys)
    sign = np.where(head.synthetic, 1.0, -1.0)
    shifts = np.stack([standardised(head, rows_of(world, key)).mean(0) for key in head.keys])
    total = total_covariance(head, world, lambda rows: standardised(head, rows))
    within = total - (shifts * weights[:, None]).T @ shifts
    ridge = 0.01 * np.trace(within) / len(within)
    expected = np.linalg.solve(total + ridge * np.eye(len(total)), (sign * weights) @ shifts)
    vectors = world["raw"].vectors
    np.testing.assert_allclose(head.scores(vectors), standardised(head, vectors) @ expected, atol=1e-9)


@pytest.mark.parametrize("noise_correction", [False, True])
def test_the_mixture_is_the_formula_row_by_row(world, learn, noise_correction):
    settings = replace(SETTINGS, noise_correction=noise_correction, max_units=5)
    head = solve(moments_of(learn(world)), settings)
    weights = group_weights(head.keys)
    vectors = world["laundered"].vectors[::17]
    for z, score in zip(head.activations(vectors), head.scores(vectors), strict=True):
        sides = {"family": 0.0, "source": 0.0}
        for g, key in enumerate(head.keys):
            affinity = 0.25 * (float(z @ head.means[g]) - float(head.half_norms[g]))
            sides[key.subject.kind] += weights[g] * math.exp(affinity)
        assert score == pytest.approx(math.log(sides["family"]) - math.log(sides["source"]), abs=1e-9)


def test_sources_may_be_read_more_softly_in_the_families_unit(world, learn):
    head = solve(moments_of(learn(world)), replace(SETTINGS, source_tau=0.05))
    weights = group_weights(head.keys)
    vectors = world["raw"].vectors[::17]
    for z, score in zip(head.activations(vectors), head.scores(vectors), strict=True):
        sides = {"family": 0.0, "source": 0.0}
        for g, key in enumerate(head.keys):
            tau = {"family": 0.25, "source": 0.05}[key.subject.kind]
            sides[key.subject.kind] += 2 * weights[g] * math.exp(tau * (float(z @ head.means[g]) - head.half_norms[g]))
        assert score == pytest.approx(math.log(sides["family"]) - 5 * math.log(sides["source"]), abs=1e-9)


def test_without_a_tau_of_their_own_sources_are_read_as_sharply_as_families(world, learn):
    moments, vectors = moments_of(learn(world)), world["raw"].vectors
    alike = solve(moments, replace(SETTINGS, source_tau=SETTINGS.tau))
    assert np.array_equal(alike.scores(vectors), solve(moments, SETTINGS).scores(vectors))


def test_what_moves_with_the_profile_alone_weighs_less_the_more_its_shift_counts(world, learn):
    moments = moments_of(learn(world))
    standing = {key: group.total / group.count for key, group in moments.items()}
    subjects = sorted({key.subject for key in moments})
    moves = [standing[GroupKey(s, "laundered")] - standing[GroupKey(s, "raw")] for s in subjects]

    def moved(profile_shift: float) -> float:
        head = solve(moments, replace(SETTINGS, profile_shift=profile_shift))
        own = np.stack(moves) * head.inverse_scale @ head.units
        return float((own**2).sum() / (head.means**2).sum())

    assert moved(0.0) > 1.2 * moved(1.0) > 1.2 * moved(10.0)


def test_a_profile_shift_counts_as_the_covariance_of_the_profiles_means_around_their_subjects(world, learn):
    moments = moments_of(learn(world))
    plain, shifted = solve(moments, SETTINGS), solve(moments, replace(SETTINGS, profile_shift=0.7))
    weights = group_weights(plain.keys)
    within = sum(
        w * np.cov(standardised(plain, rows_of(world, key)).T, bias=True)
        for w, key in zip(weights, plain.keys, strict=True)
    )
    means = {key: standardised(plain, rows_of(world, key)).mean(0) for key in plain.keys}
    for subject in {key.subject for key in plain.keys}:
        apart = (means[GroupKey(subject, "raw")] - means[GroupKey(subject, "laundered")]) / 2
        weight = sum(w for w, key in zip(weights, plain.keys, strict=True) if key.subject == subject)
        within = within + 0.7 * weight * np.outer(apart, apart)
    ridge = 0.01 * np.trace(total_covariance(plain, world, lambda rows: standardised(plain, rows)) - sum(
        w * np.outer(means[key], means[key]) for w, key in zip(weights, plain.keys, strict=True)
    )) / len(within)  # fmt: skip
    covariance = within + ridge * np.eye(len(within))
    np.testing.assert_allclose(shifted.units.T @ covariance @ shifted.units, np.eye(shifted.units.shape[1]), atol=1e-8)


def test_the_noise_correction_takes_the_sampling_noise_out_of_the_squared_norms(world, learn):
    moments = moments_of(learn(world))
    plain = solve(moments, SETTINGS)
    corrected = solve(moments, replace(SETTINGS, noise_correction=True))
    within = sum(
        w * np.cov(standardised(plain, rows_of(world, key)).T, bias=True)
        for w, key in zip(group_weights(plain.keys), plain.keys, strict=True)
    )
    ridged = within + 0.01 * np.trace(within) / len(within) * np.eye(len(within))
    noise = np.trace(np.linalg.solve(ridged, within)) / 24  # 24 learned rows in every group
    # 19 units keep the whole of a mean's norm
    expected = np.maximum(np.einsum("gk,gk->g", plain.means, plain.means) - noise, 0.0)
    np.testing.assert_allclose(2 * corrected.half_norms, expected, rtol=1e-6)
    np.testing.assert_allclose(2 * plain.half_norms, np.einsum("gk,gk->g", plain.means, plain.means))


def test_fired_names_the_family_and_the_source_a_vector_comes_from(world_of, learn):
    world = world_of(shift=4.0)
    head = solve(moments_of(learn(world)), SETTINGS)
    rows = world["raw"]
    held = [i for i, split in enumerate(rows.splits) if split == "holdout"]
    fired = head.fired(rows.vectors[held])
    right = [rows.subjects[i] in tuple(one) for i, one in zip(held, fired, strict=True)]
    assert np.mean(right) > 0.95
    assert all(one.family.kind == "family" and one.source.kind == "source" for one in fired)


@pytest.mark.parametrize("read_out", ["mixture", "linear"])
def test_never_seen_rows_of_known_groups_are_told_apart(world, learn, read_out):
    head = solve(moments_of(learn(world)), replace(SETTINGS, read_out=read_out))
    rows = world["raw"]
    held = np.array([split == "holdout" for split in rows.splits])
    scores, synthetic = head.scores(rows.vectors[held]), rows.synthetic[held]
    auroc = (scores[synthetic][:, None] > scores[~synthetic][None, :]).mean()
    assert auroc > 0.95


def test_the_order_of_the_mapping_changes_no_bit(world, learn):
    moments = moments_of(learn(world))
    forward, backward = solve(moments, SETTINGS), solve(dict(reversed(moments.items())), SETTINGS)
    for name in ("centre", "inverse_scale", "units", "means", "half_norms", "log_weights"):
        assert getattr(forward, name).tobytes() == getattr(backward, name).tobytes()


@pytest.mark.parametrize("n", [40, 200])  # rows kept, and packed
def test_pooling_statistics_equals_pooling_their_moments(world_of, learn, n):
    statistics = learn(world_of(n=n))
    assert {group.is_packed for group in statistics.values()} == {True}
    wide = learn(world_of(n=n, dimension=300))
    assert {group.is_packed for group in wide.values()} == {False}
    for groups in (statistics, wide):
        for without in (None, 2):
            direct = pool_statistics(groups, 5, without_fold=without)
            by_moments = pool_moments({key: group.moments(without) for key, group in groups.items()}, 2)
            assert direct.keys == by_moments.keys
            assert direct.counts.tolist() == by_moments.counts.tolist()
            np.testing.assert_allclose(direct.means, by_moments.means, rtol=1e-12)
            np.testing.assert_allclose(direct.second, by_moments.second, rtol=1e-9, atol=1e-9)


def test_subtracting_a_source_equals_never_having_had_it(world, learn):
    statistics = learn(world)
    source = Subject("source", "source_2")
    rest = {key: group for key, group in statistics.items() if key.subject != source}
    subtracted = pool_statistics(statistics, 5).without_source(source, statistics)
    rebuilt = pool_statistics(rest, 5)
    assert subtracted.keys == rebuilt.keys
    vectors = world["raw"].vectors
    np.testing.assert_allclose(
        solve_pooled(subtracted, SETTINGS).scores(vectors),
        solve_pooled(rebuilt, SETTINGS).scores(vectors),
        atol=1e-7,
    )


def test_groups_under_the_floor_are_not_modelled(world, learn):
    statistics = learn(world)
    tiny = GroupKey(Subject("family", "tiny"), "raw")
    statistics[tiny] = GroupStatistics.empty(24).add(world["raw"].vectors[:4], np.zeros(4, np.int8))
    assert tiny not in solve(moments_of(statistics), SETTINGS).keys
    assert tiny in solve(moments_of(statistics), replace(SETTINGS, min_group=4)).keys


def test_a_feature_that_never_varies_is_ignored(world, learn):
    constant = {}
    for profile, rows in world.items():
        vectors = np.concatenate([rows.vectors, np.full((len(rows), 1), 33.3, np.float16)], axis=1)
        constant[profile] = replace(rows, vectors=vectors)
    head = solve(moments_of(learn(constant)), SETTINGS)
    assert head.inverse_scale[-1] == 0.0
    np.testing.assert_allclose(
        head.scores(constant["raw"].vectors),
        solve(moments_of(learn(world)), SETTINGS).scores(world["raw"].vectors),
        atol=1e-7,
    )


def test_stored_and_fresh_vectors_score_alike(world, learn):
    head = solve(moments_of(learn(world)), SETTINGS)
    fresh = world["raw"].vectors.astype(np.float32) * np.float32(1.0001)
    assert head.scores(fresh).tobytes() == head.scores(fresh.astype(np.float16)).tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_vector_that_overflows_is_an_error(world, learn, value):
    head = solve(moments_of(learn(world)), SETTINGS)
    vectors = world["raw"].vectors[:2].astype(np.float32)
    vectors[1, 3] = value
    with pytest.raises(BadInputError, match="not finite as float16"):
        head.scores(vectors)


def test_a_head_needs_both_sides(world, learn):
    moments = moments_of(learn(world))
    for kind, missing in (("family", "real source"), ("source", "synthetic family")):
        one_side = {key: value for key, value in moments.items() if key.subject.kind == kind}
        with pytest.raises(BadInputError, match=missing):
            solve(one_side, SETTINGS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("read_out", "forest"),
        ("ridge", 0.0),
        ("tau", float("nan")),
        ("source_tau", 0.0),
        ("profile_shift", -1.0),
        ("max_units", 0),
        ("min_group", 1),
    ],
)
def test_settings_out_of_range_name_the_key(key, value):
    with pytest.raises(ConfigurationError, match=f"^{key}:"):
        HeadSettings(**{key: value})
