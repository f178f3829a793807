"""One known source teaches no more of a family than its share; what is left out is in the version's manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.champion import load_version
from daemon.learn.learning import update
from daemon.model import Candidate
from daemon.settings import EncoderSettings, LearnSettings, Settings
from tests.integration.test_forgetting import deliver, in_train
from tests.integration.test_story import assert_whole
from tests.integration.world import ADAPTER, FINGERPRINT, NEW, World, beginning

MOST = 8


@pytest.fixture
def world(tmp_path: Path) -> World:
    settings = Settings(
        adapters=(ADAPTER,),
        encoder=EncoderSettings(name="forensic"),
        learn=LearnSettings(known_source_pictures=MOST),
    )
    world = World(tmp_path / "state", settings=settings)
    world.inbox.put(beginning())
    world.until_idle()
    return world


def learned(world: World) -> dict[str, int]:
    """How many pictures of the newcomer the statistics hold, by source."""
    batches = world.store.samples.batches_of_samples()
    found: dict[str, int] = {}
    for row in world.store.samples.learned_rows(FINGERPRINT):
        if row.subject.name == NEW:
            source = batches[row.sample_id].source
            found[source] = found.get(source, 0) + 1
    return found


def of_source(source: str, count: int, start: int) -> list[Candidate]:
    return [replace(one, source=source) for one in in_train(NEW, count, start)]


def test_a_known_source_is_capped_until_others_bring_as_much(world: World) -> None:
    deliver(world, of_source("stranger", 20, 0), "stranger", "known")
    challenge = update(world.context)
    assert challenge is not None and learned(world) == {"stranger": MOST}
    told = load_version(world.store.registry, challenge.version.record).artifact.about["exclusions"]
    assert [(row["name"], row["source"], row["profile"], row["samples"], row["reason"]) for row in told] == [
        (NEW, "stranger", "raw", 20 - MOST, "source_cap"),
        (NEW, "stranger", "laundered", 20 - MOST, "source_cap"),
    ]
    assert update(world.context) is None or learned(world) == {"stranger": MOST}, "nothing new is learned of it"
    deliver(world, of_source("museum", 4, 500), "museum", "trusted")
    update(world.context)
    assert learned(world) == {"stranger": 16, "museum": 4}, "four fifths of what is learned, and no more"
    assert_whole(world)


def test_a_trusted_source_has_no_cap(world: World) -> None:
    deliver(world, of_source("museum", 20, 0), "museum", "trusted")
    update(world.context)
    assert learned(world) == {"museum": 20}
