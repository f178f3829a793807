"""A cycle that has nothing to do costs the same after a year of verdicts as after a day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.notify.notifying import announce_decisions
from store.registry import SqlRegistry
from tests.integration.test_story import Killed
from tests.integration.world import FINGERPRINT, World


def judged(world: World, number: int) -> str:
    """A version that the gate held."""
    champion = world.store.registry.champion()
    assert champion is not None
    added = world.store.registry.add_version(
        parent=champion.id,
        fingerprint=FINGERPRINT,
        learner="closed_form",
        statistics_revision=1,
        manifest=b"%d" % number,
        tensors=b"none",
        at=world.clock.now(),
    )
    verdict = {"decision": "hold", "reason": "a test"}
    world.store.registry.record_verdict(added.id, "held", verdict, "gate", "a test", world.clock.now())
    return added.id


def test_it_reads_neither_all_verdicts_nor_the_whole_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.settled(tmp_path / "state")
    for number in range(3):
        judged(world, number)
    world.until_idle()
    read = SqlRegistry.audit
    rows: list[Any] = []

    def counted(self: SqlRegistry, *which: Any, **more: Any) -> Any:
        found = read(self, *which, **more)
        rows.extend(found)
        return found

    def never(self: SqlRegistry) -> Any:
        raise AssertionError("every verdict is read")

    monkeypatch.setattr(SqlRegistry, "versions", never)
    monkeypatch.setattr(SqlRegistry, "audit", counted)
    assert world.cycle().idle
    assert {row.action for row in rows} <= {"promote", "rollback"}, "those that were held are told and done with"


def test_each_decision_is_told_once_and_none_is_lost_to_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.settled(tmp_path / "state")
    held = [judged(world, number) for number in range(3)]
    add, told = world.store.samples.add_event, []

    def dying(event: Any) -> None:
        if len(told) == 1:
            raise Killed
        told.append(event)
        add(event)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(world.store.samples, "add_event", dying)
        announce_decisions(world.context)
    world.cycle()
    world.cycle()
    assert [event.data["version"] for event in world.told if event.kind == "update_held"] == held
