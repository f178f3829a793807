"""A source that starts over from nothing changes nothing, not one byte of the champion."""

from __future__ import annotations

from pathlib import Path

from tests.integration.world import World, beginning


def test_a_source_that_forgot_its_cursor_changes_no_count_no_alarm_and_no_byte_of_the_champion(tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    world.inbox.put(beginning())
    world.until_idle()
    samples, registry = world.store.samples, world.store.registry
    champion = registry.champion()
    assert champion is not None
    before = samples.sample_counts(), registry.artifact(champion.id), samples.test_states(champion.id), registry.audit()
    world.inbox.put(beginning())  # the very same uris and bytes, as after a cursor that was lost
    report = world.cycle()
    assert (report.delivered, report.embedded, report.scored, report.alarmed, report.version) == (540, 0, 0, (), None)
    after = samples.sample_counts(), registry.artifact(champion.id), samples.test_states(champion.id), registry.audit()
    assert after == before
    assert registry.champion() == champion
