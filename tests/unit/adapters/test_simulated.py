"""The adapter `simulated`: release dates, cursors, labels."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from adapters.base import BadInputError, Candidate
from adapters.checks import assert_conforms
from adapters.simulated import BATCH, SimulatedAdapter, SimulatedOptions
from adapters.simulation.calendar import RELEASE_DAYS

START = datetime(2031, 5, 1, tzinfo=UTC)
SMALL = {
    "seed": 1001, "start": START, "side": 64, "days": 8, "photographs_at_start": 3, "generated_at_start": 3,
    "photographs_per_day": 1, "known_per_day": 1, "new_per_day": 2,
}  # fmt: skip


def adapter(**changes: object) -> SimulatedAdapter:
    return SimulatedAdapter("simulated", SimulatedOptions.model_validate({**SMALL, **changes}))


def delivered(world: SimulatedAdapter, cursor: str | None, budget: int, now: datetime) -> list[Candidate]:
    return [candidate for batch in world.poll(cursor, budget, now) for candidate in batch.candidates]


def test_nothing_is_delivered_before_day_0() -> None:
    assert delivered(adapter(), None, 100, START - timedelta(seconds=1)) == []


def test_day_0_brings_every_camera_and_the_families_known_from_the_beginning() -> None:
    candidates = delivered(adapter(), None, 1000, START)
    assert len(candidates) == 9 * 3
    assert {candidate.family for candidate in candidates if candidate.label == "synthetic"} == {
        "sim_transposed", "sim_nearest", "sim_pixelshuffle",
    }  # fmt: skip
    assert len({candidate.source for candidate in candidates if candidate.label == "real"}) == 6


@pytest.mark.parametrize(("family", "day"), [("sim_diffusion", 2), ("sim_pixelshuffle_xl", 7)])
def test_a_later_family_comes_on_its_release_day_and_not_before(family: str, day: int) -> None:
    release = START + timedelta(days=day)
    before = delivered(adapter(), None, 1000, release - timedelta(seconds=1))
    after = delivered(adapter(), None, 1000, release)
    assert not [candidate for candidate in before if candidate.family == family]
    (first,) = [candidate for candidate in after if candidate.family == family]
    assert first.released == release.date().isoformat()


def test_release_dates_are_those_of_the_calendar_and_only_families_have_them() -> None:
    for candidate in delivered(adapter(), None, 1000, START + timedelta(days=9)):
        if candidate.family is None:
            assert candidate.released is None
        else:
            expected = START + timedelta(days=RELEASE_DAYS[candidate.family])
            assert candidate.released == expected.date().isoformat()


def test_resuming_from_any_cursor_gives_exactly_the_remaining_pictures() -> None:
    now = START + timedelta(days=4)
    batches = list(adapter().poll(None, 1000, now))
    whole = [candidate for batch in batches for candidate in batch.candidates]
    assert len(batches) > 2
    seen = 0
    for batch in batches:
        assert len(batch.candidates) <= BATCH
        seen += len(batch.candidates)
        assert delivered(adapter(), batch.cursor, 1000, now) == whole[seen:]


def test_polling_day_by_day_with_a_small_budget_gives_the_same_as_polling_once() -> None:
    end = START + timedelta(days=8)
    world, cursor = adapter(), None
    collected: list[Candidate] = []
    now = START
    while now <= end:
        for batch in world.poll(cursor, 5, now):
            assert len(batch.candidates) <= 5
            collected += batch.candidates
            cursor = batch.cursor
        now += timedelta(hours=6)
    while rest := list(world.poll(cursor, 5, end)):
        collected += [candidate for batch in rest for candidate in batch.candidates]
        cursor = rest[-1].cursor
    assert collected == delivered(adapter(), None, 1000, end)


def test_the_budget_is_the_most_that_is_delivered() -> None:
    assert len(delivered(adapter(), None, 7, START)) == 7
    assert delivered(adapter(), None, 0, START) == []


def test_candidates_are_labelled_as_a_simulation_and_hash_to_what_they_say() -> None:
    for candidate in delivered(adapter(), None, 18, START):
        assert candidate.uri.startswith("simulated://")
        assert candidate.caption is not None
        assert candidate.caption.startswith("simulation: ")
        assert candidate.kind == "simulated"
        assert (candidate.family or candidate.source or "").startswith("sim_")
        assert candidate.content is not None
        assert hashlib.sha256(candidate.content).hexdigest() == candidate.sha256


def test_uris_and_bytes_are_unique_within_a_world_and_between_seeds() -> None:
    both = delivered(adapter(), None, 20, START) + delivered(adapter(seed=1002), None, 20, START)
    assert len({candidate.uri for candidate in both}) == 40
    assert len({candidate.sha256 for candidate in both}) == 40
    assert not {candidate.group for candidate in both[:20]} & {candidate.group for candidate in both[20:]}


@pytest.mark.parametrize("cursor", ["", "7", "another:7", "other world"])
def test_a_cursor_of_another_simulation_is_refused(cursor: str) -> None:
    with pytest.raises(BadInputError, match="other options"):
        list(adapter().poll(cursor, 1, START))


def test_a_cursor_does_not_survive_a_change_of_seed() -> None:
    (batch,) = adapter().poll(None, 1, START)
    with pytest.raises(BadInputError, match="other options"):
        list(adapter(seed=1).poll(batch.cursor, 1, START))


@pytest.mark.parametrize("wrong", [{"colour": "blue"}, {"side": 100}, {"days": -1}, {"start": datetime(2031, 5, 1)}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        adapter(**wrong)


def test_the_adapter_keeps_the_contract() -> None:
    def make() -> SimulatedAdapter:
        return adapter(photographs_at_start=1, generated_at_start=1, days=3)

    assert_conforms(make, START + timedelta(days=4))
