"""Versions and promotion: one champion, one chain."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import update
from store_testing import PRINT, T0, minutes

from daemon.errors import BadInputError, ChampionMoved, CorruptArtifact
from daemon.model import AuditRow, VersionOutline, VersionRecord
from store import Store, audit
from store import tables as t


def add(store: Store, name: str, parent: str | None = None) -> VersionRecord:
    return store.registry.add_version(
        parent=parent,
        fingerprint=PRINT,
        learner="mixture",
        statistics_revision=0,
        manifest=f'{{"name":"{name}"}}'.encode(),
        tensors=f"tensors of {name}".encode(),
        at=T0,
    )


def promote(store: Store, version: str, expected: str | None, action: str = "promote") -> AuditRow:
    return store.registry.promote(
        version, expected=expected, actor="gate", reason="better", verdict={"ap": 0.9}, at=minutes(1), action=action
    )


def test_a_version_is_named_by_number_and_manifest_and_stored_once(store: Store) -> None:
    first, second, again = add(store, "a"), add(store, "b"), add(store, "a")
    assert first.id == f"v0001-{first.manifest_sha256[:8]}"
    assert second.id == f"v0002-{second.manifest_sha256[:8]}"
    assert again == first
    assert (first.state, first.created_at, first.fingerprint) == ("challenger", T0, PRINT)
    assert store.registry.versions() == [first, second]
    assert store.registry.artifact(first.id) == (b"tensors of a", b'{"name":"a"}')
    with pytest.raises(BadInputError, match="no version v0009"):
        store.registry.version("v0009-ffffffff")


def test_promotion_moves_both_aliases_and_adds_a_link(store: Store) -> None:
    first, second = add(store, "a"), add(store, "b")
    assert store.registry.champion() is None
    promote(store, first.id, None)
    row = promote(store, second.id, first.id)
    champion, previous = store.registry.champion(), store.registry.previous()
    assert champion is not None and previous is not None
    assert (champion.id, champion.state, champion.verdict) == (second.id, "promoted", {"ap": 0.9})
    assert previous.id == first.id
    assert (row.number, row.version, row.previous, row.action) == (2, second.id, first.id, "promote")
    back = promote(store, first.id, second.id, action="rollback")
    assert store.registry.audit()[-1] == back
    assert audit.verify(store.registry.audit()) is None


def test_outlines_are_the_versions_without_their_verdicts_and_the_audit_is_read_in_part(store: Store) -> None:
    first, second, third = add(store, "a"), add(store, "b"), add(store, "c")
    promote(store, first.id, None)
    store.registry.record_verdict(second.id, "held", {"ap": 0.8}, "gate", "not proved", minutes(2))
    promote(store, third.id, first.id)
    outlines = store.registry.outlines()
    assert [(one.id, one.state, one.judged) for one in outlines] == [
        (version.id, version.state, version.verdict is not None) for version in store.registry.versions()
    ]
    assert [one.judged for one in outlines] == [True, True, True]
    assert add(store, "d").id == store.registry.outlines()[-1].id and not store.registry.outlines()[-1].judged
    shared = {*VersionRecord.__slots__} & {*VersionOutline.__slots__}
    for one, version in zip(store.registry.outlines(), store.registry.versions(), strict=True):
        assert {name: getattr(one, name) for name in shared} == {name: getattr(version, name) for name in shared}
    whole = store.registry.audit()
    assert [row.action for row in whole] == ["promote", "hold", "promote"]
    assert store.registry.audit(("promote", "rollback")) == [whole[0], whole[2]]
    assert store.registry.audit(after=1) == whole[1:]
    assert store.registry.audit(("hold",), after=2) == []


def test_a_promotion_on_a_wrong_expectation_writes_nothing(store: Store) -> None:
    first, second = add(store, "a"), add(store, "b")
    promote(store, first.id, None)
    with pytest.raises(ChampionMoved, match=f"the champion is {first.id}, not none"):
        promote(store, second.id, None)
    assert [row.version for row in store.registry.audit()] == [first.id]
    assert store.registry.version(second.id).state == "challenger"
    with pytest.raises(BadInputError, match="already"):
        promote(store, first.id, first.id)


def test_of_two_promoters_at_once_one_wins(open_at: Callable[..., Store]) -> None:
    stores = [open_at(), open_at()]  # as two processes: nothing shared but the files
    champion = add(stores[0], "a").id
    promote(stores[0], champion, None)
    rivals = [add(stores[0], name).id for name in "bcdefgh"]
    start = threading.Barrier(len(rivals))
    outcomes: list[str] = []

    def run(number: int, version: str) -> None:
        start.wait()
        try:
            promote(stores[number % 2], version, champion)
            outcomes.append(version)
        except ChampionMoved:
            outcomes.append("lost")

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(rivals)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = set(outcomes) - {"lost"}
    assert len(outcomes) == len(rivals)
    found = stores[1].registry.champion()
    assert found is not None and found.id == winner
    assert [row.version for row in stores[1].registry.audit()] == [champion, winner]
    assert audit.verify(stores[1].registry.audit()) is None


def test_a_verdict_is_recorded_once(store: Store) -> None:
    first, second = add(store, "a"), add(store, "b")
    promote(store, first.id, None)
    for _ in range(2):
        store.registry.record_verdict(second.id, "held", {"n": 3}, "gate", "too few", minutes(2))
    assert store.registry.version(second.id).state == "held"
    row = store.registry.audit()[-1]
    assert (row.number, row.action, row.version, row.previous, row.payload) == (
        2,
        "hold",
        second.id,
        first.id,
        {"verdict": {"n": 3}},
    )
    with pytest.raises(BadInputError, match="is the champion"):
        store.registry.record_verdict(first.id, "rejected", {}, "me", "", minutes(2))
    with pytest.raises(BadInputError, match="held, rejected, waiting or shadow"):
        store.registry.record_verdict(second.id, "promoted", {}, "me", "", minutes(2))


@pytest.mark.parametrize("which", [0, 1])
def test_a_changed_artifact_is_refused(store: Store, which: int) -> None:
    record = add(store, "a")
    paths = [store.layout.tensors(record.tensors_sha256), store.layout.manifest(record.manifest_sha256)]
    content = bytearray(paths[which].read_bytes())
    content[0] ^= 1
    paths[which].write_bytes(content)
    with pytest.raises(CorruptArtifact):
        store.registry.artifact(record.id)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (t.audit.update().where(t.audit.c.number == 2).values(reason="bribed"), "row 2 was changed"),
        (t.audit.update().where(t.audit.c.number == 2).values(at=minutes(9)), "row 2 was changed"),
        (t.audit.update().where(t.audit.c.number == 1).values(payload={"verdict": {}}), "row 1 was changed"),
        (t.audit.delete().where(t.audit.c.number == 1), "row 1 is missing"),
        (update(t.audit).where(t.audit.c.number == 3).values(previous_hash="0"), "row 3 does not follow row 2"),
    ],
)
def test_tampering_with_the_audit_is_found(store: Store, change: object, complaint: str) -> None:
    ids = [add(store, name).id for name in "abc"]
    for expected, version in zip([None, *ids], ids, strict=False):
        promote(store, version, expected)
    assert audit.verify(store.registry.audit()) is None
    with store.database.write() as connection:
        connection.execute(change)  # type: ignore[call-overload]
    assert audit.verify(store.registry.audit()) == complaint
