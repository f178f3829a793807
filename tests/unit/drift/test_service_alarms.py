"""Real pool, pipeline, novelty: the parts that compute."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from daemon.drift.alarm import pool_test
from daemon.drift.novel_batch import MOST_EVIDENCE, clusters, shift_evidence, whitened
from daemon.drift.novel_family import look_level
from daemon.drift.pipeline_fault import FEWEST_FAMILIES, Movement, has_moved
from daemon.drift.real_pool_shift import tolerance
from daemon.drift.reference import GROWS_TO, reference_pool
from daemon.model import LabelledVectors, Split, Subject

T0 = datetime(2030, 1, 1, tzinfo=UTC)


# --- real pool --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "delta"), [(100, 0.087), (400, 0.0435), (1892, 0.02), (10**6, 0.02)])
def test_a_small_pool_is_given_more_room(m: int, delta: float) -> None:
    assert tolerance(m) == pytest.approx(delta, abs=1e-4)


def fresh_alarms(shift: float, streams: int, seed: int = 6) -> float:
    """Share of streams of 300 fresh reals, each against a finite pool of 100 of its own, that alarm."""
    random = np.random.default_rng(seed)
    raised = 0
    for _ in range(streams):
        pool = np.sort(random.normal(size=100))
        placements = np.searchsorted(pool, random.normal(shift, 1.0, 300)) / 100.0
        raised += pool_test(2000.0, tolerance(100)).update(placements, 1.0 - placements).alarmed
    return raised / streams


def test_reals_like_a_finite_pool_seldom_alarm_and_shifted_ones_do_both_ways() -> None:
    assert fresh_alarms(0.0, 100) <= 0.02
    assert fresh_alarms(1.0, 30) == fresh_alarms(-1.0, 30) == 1.0


def labelled(count: int, split: Split = "reference") -> LabelledVectors:
    return LabelledVectors(
        sample_ids=np.arange(1, count + 1),
        vectors=np.zeros((count, 2), np.float16),
        synthetic=np.zeros(count, np.bool_),
        subjects=(Subject("source", "kodak"),) * count,
        groups=tuple(str(i) for i in range(count)),
        splits=(split,) * count,
        folds=np.zeros(count, np.int8),
        learned_revision=np.zeros(count, np.int64),
        delivered_at=tuple(T0 + timedelta(days=i) for i in range(count)),
    )


def test_the_pool_is_frozen_when_the_champion_is_made_but_may_grow_to_a_hundred() -> None:
    rows = labelled(400)
    assert reference_pool(rows, T0 + timedelta(days=149), set()).tolist() == list(range(150))
    assert len(reference_pool(rows, T0 + timedelta(days=10), set())) == GROWS_TO
    assert reference_pool(rows.take(range(30)), T0, set()).tolist() == list(range(30))


def test_fakes_other_splits_and_untrusted_pictures_are_not_of_the_pool() -> None:
    rows = labelled(10)
    fakes = replace(rows, synthetic=np.arange(10) < 4)
    assert reference_pool(fakes, T0, {6}).tolist() == [4, 6, 7, 8, 9]
    assert reference_pool(labelled(10, "holdout"), T0, set()).size == 0


# --- pipeline ---------------------------------------------------------------------------------------------


def moved(count: int, families: int) -> Movement:
    return Movement(tuple(Subject("family", f"f{i}") for i in range(count)), families)


@pytest.mark.parametrize(
    ("count", "families", "together"),
    [
        (0, 10, False),
        (1, 1, False),
        (2, 2, False),
        (3, 3, True),
        (3, 6, False),
        (4, 8, True),
        (4, 9, False),
        (9, 9, True),
    ],
)
def test_many_families_must_move_and_one_generator_is_no_fault(count: int, families: int, together: bool) -> None:
    assert moved(count, families).together is together


def test_the_evidence_is_the_binomial_tail() -> None:
    assert FEWEST_FAMILIES == 3
    assert moved(3, 3).log10_evidence == pytest.approx(-3 * math.log10(0.05))
    assert moved(0, 3).log10_evidence == 0.0


def test_a_healthy_family_counts_as_moved_no_more_often_than_promised() -> None:
    from daemon.drift.alarm import known_family_test

    random = np.random.default_rng(12)
    count = sum(
        has_moved(known_family_test(1e9, 0.9, 0.5).update(random.beta(9, 1, 50), random.random(50) < 0.5).log_e, 50)
        for _ in range(300)
    )
    assert count <= 0.05 * 300


# --- novelty ----------------------------------------------------------------------------------------------

D, GROUPS = 40, 12
SUBJECTS = [Subject("family" if g < 8 else "source", f"g{g:02d}") for g in range(GROUPS)]
MEANS = np.random.default_rng(0).normal(0.0, 1.2, (GROUPS + 10, D))


def pictures(seed: int, group: int, n: int) -> np.ndarray:
    return (MEANS[group] + np.random.default_rng([seed, group]).normal(size=(n, D))).astype(np.float16)


KNOWN = np.concatenate([pictures(1, g, 30) for g in range(GROUPS)])
KNOWN_SUBJECTS = [subject for subject in SUBJECTS for _ in range(30)]


def evidence(batch: np.ndarray) -> float:
    return max((c.log10_evidence for c in clusters(whitened(KNOWN, KNOWN_SUBJECTS, batch), 10)), default=0.0)


def test_a_batch_of_a_known_group_is_not_novel_and_names_it() -> None:
    for group in range(GROUPS):
        found = clusters(whitened(KNOWN, KNOWN_SUBJECTS, pictures(2, group, 20)), 10)
        assert [c.nearest for c in found] == [SUBJECTS[group]]
        assert found[0].log10_evidence < 1.0


def test_a_batch_of_two_known_groups_is_not_novel_either() -> None:
    assert (
        max(evidence(np.concatenate([pictures(3, g, 15), pictures(3, (g + 5) % GROUPS, 15)])) for g in range(8)) < 1.0
    )


def test_a_batch_of_an_unknown_group_is_novel_also_beside_known_ones() -> None:
    for group in range(GROUPS, GROUPS + 10):
        assert evidence(pictures(4, group, 15)) > 6.0
        batch = np.concatenate([pictures(4, group, 15), pictures(4, 2, 15)])
        novel, *others = clusters(whitened(KNOWN, KNOWN_SUBJECTS, batch), 10)
        assert novel.log10_evidence > 6.0
        assert novel.members.tolist() == list(range(15))
        assert all(other.log10_evidence < 1.0 for other in others)
        assert novel.nearest_family in SUBJECTS[:8]


def test_fewer_pictures_than_a_batch_say_nothing() -> None:
    assert clusters(whitened(KNOWN, KNOWN_SUBJECTS, pictures(5, GROUPS, 9)), 10) == []


def test_the_order_of_a_batch_changes_nothing() -> None:
    batch = np.concatenate([pictures(6, GROUPS, 15), pictures(6, 1, 15)])
    order = np.random.default_rng(7).permutation(len(batch))
    assert evidence(batch[order]) == pytest.approx(evidence(batch), rel=1e-6)


def test_a_shift_within_the_margin_is_none_however_many_pictures_show_it() -> None:
    shift = np.zeros(10)
    shift[0] = 0.9
    assert shift_evidence(shift, 2.0 / 5000, 1.0, 5000) < 1.0
    assert shift_evidence(3.0 * shift, 2.0 / 5000, 1.0, 5000) == MOST_EVIDENCE


def test_two_known_groups_are_needed() -> None:
    with pytest.raises(ValueError, match="two known groups"):
        whitened(KNOWN[:30], KNOWN_SUBJECTS[:30], pictures(8, 0, 10))


def test_the_levels_of_all_looks_add_up_to_alpha() -> None:
    assert 0.0099 < sum(look_level(0.01, look) for look in range(1, 1000)) < 0.01
