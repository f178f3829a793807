"""`per_day`: what one adapter may bring in a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.context import Context
from daemon.intake.taking_in import intake
from daemon.model import Batch, Candidate
from tests.integration.world import ADAPTER, World, candidate


def listing(world: World, candidates: Sequence[Candidate]) -> Context:
    """The world with a source that lists these candidates, one to a batch, and keeps its budget."""

    def poll(
        name: str, kind: str, options: Mapping[str, Any], cursor: str | None, budget: int, now: datetime
    ) -> Iterator[Batch]:
        first = int(cursor or 0)
        for number, one in enumerate(candidates[first : first + budget], start=first + 1):
            yield Batch((one,), str(number))

    return replace(world.context, poller=lambda adapter: poll)


def test_what_is_over_the_limit_comes_on_the_next_day_and_nothing_is_lost(tmp_path: Path) -> None:
    world = World(tmp_path)
    context = listing(world, [candidate("camera_a", i) for i in range(25)])
    limited = ADAPTER.model_copy(update={"per_day": 10, "budget": 4})
    came = []
    for _ in range(4):
        came.append(intake(context, limited))
        came.append(intake(context, limited))  # polled again on the same day
        world.clock.after_cycle()
    assert came == [10, 0, 10, 0, 5, 0, 0, 0]


def test_refused_deliveries_count_and_repeats_do_not(tmp_path: Path) -> None:
    world = World(tmp_path)
    bad = replace(candidate("camera_a", 0), content=None, problem="unreadable", problem_detail="gone")
    same = candidate("camera_a", 1)
    context = listing(world, [bad, same, same, same, candidate("camera_a", 2), candidate("camera_a", 3)])
    limited = ADAPTER.model_copy(update={"per_day": 3, "budget": 1})
    assert intake(context, limited) == 5
    assert world.store.samples.delivered_since(ADAPTER.name, world.clock.now().replace(hour=0)) == 3
    assert world.store.samples.delivered_since("nobody", world.clock.now().replace(hour=0)) == 0
