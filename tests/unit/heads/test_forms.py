from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from daemon.errors import ConfigurationError, CorruptArtifact
from daemon.heads import ClosedFormHead, GroupKey, GroupStatistics, HeadSettings, forms
from daemon.heads.forms import modelled_apart
from daemon.heads.pooling import group_weights, pool_statistics
from daemon.heads.solve import solve_pooled
from daemon.model import FOLDS, PROFILES, Profile, Subject

D = 6
GAN, OTHER = Subject("family", "gan"), Subject("family", "other")
SETTINGS = HeadSettings(ridge=0.1, tau=0.5, min_group=3)


def vectors(n: int, shift: float = 0.0, seed: int = 0) -> NDArray[np.float16]:
    found = np.random.default_rng(seed).normal(size=(n, D))
    found[:, 0] += shift
    return found.astype(np.float16)


def group(n: int, shift: float = 0.0, seed: int = 0) -> GroupStatistics:
    return GroupStatistics.empty(D).add(vectors(n, shift, seed), (np.arange(n) % FOLDS).astype(np.int8))


def both(subject: Subject, **by_form: GroupStatistics) -> dict[tuple[Subject, Profile], dict[str, GroupStatistics]]:
    return {(subject, profile): dict(by_form) for profile in PROFILES}


@given(st.dictionaries(st.sampled_from(["", "jpeg", "png", "webp"]), st.integers(0, 12), min_size=1))
def test_what_is_written_is_read_again_and_equal_statistics_are_equal_bytes(sizes: dict[str, int]) -> None:
    held = {form: group(n, seed=n) for form, n in sizes.items()}
    if not forms.count(held):
        return
    data = forms.to_bytes(held)
    again = forms.from_bytes(data)
    assert {form: one.n for form, one in again.items()} == {form: n for form, n in sizes.items() if n}
    assert forms.to_bytes(again) == data
    assert forms.count(again) == sum(sizes.values())
    whole = forms.together(again).moments()
    assert np.allclose(whole.second, sum(one.moments().second for one in held.values()), rtol=1e-12, atol=1e-9)


def test_statistics_written_before_there_were_forms_are_read_as_those_of_no_form() -> None:
    old = group(5)
    assert forms.to_bytes({"": old}) == old.to_bytes()
    assert list(forms.from_bytes(old.to_bytes())) == [""]


def test_damaged_statistics_are_named() -> None:
    with pytest.raises(CorruptArtifact):
        forms.from_bytes(group(5).to_bytes()[:-3])
    other = GroupStatistics.empty(D + 1).add(np.zeros((2, D + 1), np.float16), np.zeros(2, np.int8))
    with pytest.raises(CorruptArtifact, match="differ in length"):
        forms.from_bytes(forms.to_bytes({"png": group(2), "jpeg": other}))


def test_a_family_is_one_group_until_two_forms_are_common() -> None:
    few = modelled_apart(both(GAN, jpeg=group(40), png=group(9)), 10)
    assert {key: own.n for key, own in few.items()} == {GroupKey(GAN, profile): 49 for profile in PROFILES}
    many = modelled_apart(both(GAN, jpeg=group(40), png=group(10)), 10)
    assert {(key.form, own.n) for key, own in many.items()} == {("jpeg", 40), ("png", 10)}
    alone = modelled_apart(both(GAN, png=group(40)), 10)
    assert set(alone) == {GroupKey(GAN, profile) for profile in PROFILES}, "one form: the name does not matter"


def test_what_comes_in_a_rare_form_counts_with_the_commonest() -> None:
    found = modelled_apart(both(GAN, jpeg=group(30), png=group(12), webp=group(4), **{"": group(3)}), 10)
    assert {(key.form, own.n) for key, own in found.items()} == {("jpeg", 37), ("png", 12)}


def test_a_form_must_be_common_under_every_profile() -> None:
    held = both(GAN, jpeg=group(30), png=group(12))
    held[GAN, "raw"] = {"jpeg": group(30), "png": group(4)}
    assert {key.form for key in modelled_apart(held, 10)} == {""}


def test_the_forms_of_a_family_share_its_weight() -> None:
    real = Subject("source", "camera")
    keys = [GroupKey(GAN, "raw", "jpeg"), GroupKey(GAN, "raw", "png"), GroupKey(OTHER, "raw"), GroupKey(real, "raw")]
    assert group_weights(keys).tolist() == [0.125, 0.125, 0.25, 0.5]


def two_ways() -> dict[tuple[Subject, Profile], dict[str, GroupStatistics]]:
    """A family that lies on both sides of the photographs: its mean is theirs."""
    held = both(GAN, jpeg=group(40, 4.0, 1), png=group(40, -4.0, 2))
    for number in range(3):
        held |= both(Subject("source", f"camera_{number}"), **{"": group(40, 0.0, 3 + number)})
    return held


def test_a_family_that_comes_in_two_ways_is_told_apart_only_when_they_are_modelled_apart() -> None:
    held = two_ways()

    def solved(min_form: int) -> ClosedFormHead:
        return solve_pooled(pool_statistics(modelled_apart(held, min_form), SETTINGS.min_group), SETTINGS)

    fakes = np.concatenate([vectors(50, 4.0, 11), vectors(50, -4.0, 12)])
    reals = vectors(100, 0.0, 13)

    def share(head: ClosedFormHead) -> float:
        return float((head.scores(fakes)[:, None] > head.scores(reals)[None, :]).mean())

    assert share(solved(10)) > 0.95
    assert share(solved(1000)) < 0.75
    fired = solved(10).fired(fakes)
    assert {one.family for one in fired} == {GAN}, "people see the family, whatever the form"


def test_a_head_with_forms_is_written_and_read_again() -> None:
    head = solve_pooled(pool_statistics(modelled_apart(two_ways(), 10), SETTINGS.min_group), SETTINGS)
    again = ClosedFormHead.from_tensors(head.to_tensors(), head.to_json())
    again.validate("head")
    assert again.keys == head.keys
    assert {key.form for key in head.keys} == {"", "jpeg", "png"}
    assert np.array_equal(again.scores(vectors(5)), head.scores(vectors(5)))


def test_a_setting_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="min_form"):
        replace(SETTINGS, min_form=1)
