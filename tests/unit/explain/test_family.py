from __future__ import annotations

import numpy as np
import pytest

from daemon.errors import BadInputError
from daemon.explain.family import explain_family
from daemon.explain.views import FamilyExplanationView
from daemon.model import PROFILES
from tests.unit.explain.world import Samples, World, family, in_group, with_known

NEW = family("newcomer")


def with_newcomer(group: str, length: float, *, n: int = 40, seed: int = 0, learned: bool = False) -> World:
    world = with_known(seed)
    world.add(NEW, in_group(group, length, world.random), n, learned=learned)
    return world


def explained(world: World, name: str = NEW.name, samples: Samples | None = None) -> FamilyExplanationView:
    return explain_family(world.context(samples), world.champion(), name)


@pytest.mark.parametrize("group", ["grids", "cooccurrences", "gradients"])
def test_the_one_feature_group_in_which_a_family_differs_comes_first(group: str) -> None:
    found = explained(with_newcomer(group, 3.0))
    for profile in PROFILES:
        against_reals = found.profiles[profile].comparisons[0]
        first = against_reals.effects[0]
        assert (against_reals.against, first.name) == ("reals", group)
        assert first.proved
        assert 2.4 < first.effect < 3.4
        assert first.lower <= 3.2 and first.upper >= 2.8
        assert all(effect.effect < 1.3 and effect.lower < 0.8 for effect in against_reals.effects[1:])
        assert "differs most from the reals in" in found.profiles[profile].summary[0]
        assert first.label in found.profiles[profile].summary[0]


def test_from_the_known_families_it_differs_in_what_they_have_and_it_has_not() -> None:
    against_known = explained(with_newcomer("grids", 3.0)).profiles["raw"].comparisons[1]
    assert against_known.against == "known_families"
    assert against_known.subjects == ["known_0", "known_1", "known_2"]
    assert {effect.name for effect in against_known.effects[:2]} == {"grids", "colours"}


def test_without_any_difference_nothing_is_proved_and_the_sentence_says_so() -> None:
    proved = 0
    for seed in range(3):
        found = explained(with_newcomer("grids", 0.0, seed=seed))
        for profile in PROFILES:
            effects = found.profiles[profile].comparisons[0].effects
            proved += sum(effect.proved for effect in effects)
            if not any(effect.proved for effect in effects):
                assert "not proved to differ from the reals" in found.profiles[profile].summary[0]
    assert proved <= 6  # of 54: an interval of 95 % may leave out 0 now and then


def test_what_lies_where_no_known_family_differs_is_said_to_be_hardly_seen() -> None:
    unseen = explained(with_newcomer("grids", 5.0)).profiles["raw"]
    seen = explained(with_newcomer("grids", 5.0, learned=True)).profiles["raw"]
    assert unseen.seen is not None and unseen.seen.share is not None
    assert seen.seen is not None and seen.seen.share is not None
    assert unseen.seen.share < 0.25 < 0.6 < seen.seen.share
    assert unseen.seen.auroc < 0.75 < 0.8 < seen.seen.auroc
    assert unseen.seen.recall < 0.2 < seen.seen.recall
    assert "sees little of the shift" in unseen.summary[-1]
    assert "has learned it and sees most of the shift" in seen.summary[-1]


def test_pictures_of_one_group_are_one_vote() -> None:
    def width(per_group: int) -> float:
        world = with_known(3)
        world.add(NEW, in_group("spectra", 2.0, np.random.default_rng(0)), 40, per_group=per_group, learned=False)
        by_name = {e.name: e for e in explained(world).profiles["raw"].comparisons[0].effects}
        return by_name["spectra"].upper - by_name["spectra"].lower

    assert width(10) > 1.5 * width(1)


def test_a_family_of_few_pictures_says_so() -> None:
    found = explained(with_newcomer("grids", 3.0, n=6))
    assert found.profiles == {}
    assert found.notes == [
        "newcomer has 6 pictures of 6 groups: too few to say what sets it apart (10 pictures of 3 groups are needed)"
    ]


def test_when_its_vectors_are_gone_its_statistics_say_the_same() -> None:
    world = with_newcomer("grids", 3.0, learned=True)
    whole, left = explained(world), explained(world, samples=Samples(world, frozenset({NEW})))
    assert (whole.from_statistics, left.from_statistics) == (False, True)
    assert "its vectors are gone" in left.notes[0]
    assert left.profiles["raw"].seen is None
    one, other = (
        {effect.name: effect.effect for effect in found.profiles["raw"].comparisons[0].effects}
        for found in (whole, left)
    )
    assert one == pytest.approx(other, rel=0.02, abs=1e-6)


def test_the_family_that_its_pictures_resemble_is_named() -> None:
    world = with_known()
    known = np.mean(world.rows["raw"][7].vectors.astype(np.float64), axis=0)
    world.add(NEW, known, 40, learned=False)
    found = explained(world)
    assert found.resembles == "known_1"
    assert found.resembles_share is not None and found.resembles_share > 0.9
    assert found.known is False


def test_an_unknown_family_is_an_error_that_says_where_the_names_are() -> None:
    with pytest.raises(BadInputError, match=r"no vectors of a family 'nobody'.*families list"):
        explained(with_newcomer("grids", 3.0), "nobody")
