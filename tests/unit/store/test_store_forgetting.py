"""Forgetting in the tables and files: what goes, what stays, and who may come again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from store_testing import PRINT, T0, admission, embed, fake, minutes, real, vectors

from daemon.errors import CorruptArtifact, TemporaryError
from daemon.model import Admission, ForgetCounts, ForgetTarget, LearnedRow, Subject
from store import Store
from store import tables as t
from store.files import remove_files

GAN = Subject("family", "stylegan2")
KODAK = Subject("source", "kodak")


def admit(store: Store, adapter: str, *admissions: Admission, trust: Any = "trusted", at: float = 0) -> None:
    store.samples.admit(adapter, trust, admissions, None, minutes(at))


def forget(store: Store, kind: Any, name: str) -> ForgetCounts:
    record = store.samples.forget(ForgetTarget(kind, name), "why", "me", minutes(50))
    assert record is not None
    return record.counts


def rows(store: Store, *columns: Any) -> list[Any]:
    with store.database.read() as connection:
        return connection.execute(select(*columns)).all()


def states(store: Store) -> dict[str, str]:
    return {sha256[:8]: state for sha256, state in rows(store, t.sample.c.sha256, t.sample.c.state)}


def trust(store: Store, source: str) -> str:
    return dict(rows(store, t.source.c.name, t.source.c.trust))[source]


def test_a_preview_counts_and_changes_nothing(store: Store) -> None:
    admit(store, "a", fake("x"), fake("y"), real("z"))
    admit(store, "b", fake("x", uri="b:x"))
    target = ForgetTarget("source", "a")
    assert store.samples.forget_preview(target) == ForgetCounts(deliveries=3, gone=2, kept=1, learned=0)
    assert set(states(store).values()) == {"active"}
    assert forget(store, "source", "a") == ForgetCounts(3, 2, 1, 0)
    assert sorted(states(store).values()) == ["active", "forgotten", "forgotten"]


def test_a_source_is_a_photo_collection_or_an_adapter(store: Store) -> None:
    admit(store, "a", real("x", "kodak"), real("y", "raise"))
    admit(store, "b", real("z", "kodak"))
    assert forget(store, "source", "kodak").deliveries == 2
    assert forget(store, "source", "a").deliveries == 1
    assert [row.name for row in store.samples.adapters()] == ["a", "b"]
    assert rows(store, t.adapter.c.name, t.adapter.c.deliveries) == [("a", 0), ("b", 0)]


def test_a_rejected_delivery_is_forgotten_too(store: Store) -> None:
    admit(store, "a", admission("broken", reason="corrupt"), fake("x"))
    assert forget(store, "source", "a") == ForgetCounts(2, 1, 0, 0)
    assert rows(store, t.delivery.c.id) == []


def test_a_family_takes_what_went_by_its_name_and_leaves_what_contradicts_it(store: Store) -> None:
    admit(store, "a", fake("only"), fake("both"), fake("disputed"), fake("another", "dalle"))
    admit(store, "b", admission("both", uri="b:both"), fake("disputed", "dalle", uri="b:disputed"), at=1)
    assert store.samples.quarantine_counts() == {"label_conflict": 1}
    assert forget(store, "family", "stylegan2") == ForgetCounts(4, 2, 1, 0)
    joined = select(t.family.c.name).select_from(t.sample.join(t.family))
    with store.database.read() as connection:
        assert connection.execute(joined).scalars().all() == ["dalle", "dalle"]
    assert store.samples.quarantine_counts() == {}


def test_the_trust_of_a_source_is_that_of_the_deliveries_that_are_left(store: Store) -> None:
    admit(store, "good", real("x", "kodak"))
    admit(store, "bad", real("y", "kodak"), trust="untrusted")
    assert trust(store, "kodak") == "untrusted"
    forget(store, "source", "bad")
    assert trust(store, "kodak") == "trusted"
    forget(store, "source", "good")
    admit(store, "fair", real("z", "kodak"), trust="known")
    assert trust(store, "kodak") == "known"


def test_trust_that_was_never_noted_stays_as_it_is(store: Store) -> None:
    admit(store, "good", real("x", "kodak"))
    admit(store, "bad", real("y", "kodak"), trust="untrusted")
    with store.database.write() as connection:
        connection.execute(t.delivery.update().values(trust=None))  # as delivered to the first release
    forget(store, "source", "bad")
    assert trust(store, "kodak") == "untrusted"


def test_another_reason_for_quarantine_stays(store: Store) -> None:
    admit(store, "a", fake("x"))
    admit(store, "b", fake("x", uri="b:x"), at=1)
    (sample_id,) = [row.id for row in rows(store, t.sample.c.id)]
    store.samples.quarantine(sample_id, "encoding_failed", "it failed", T0)
    forget(store, "source", "a")
    assert rows(store, t.sample.c.state, t.sample.c.reason, t.sample.c.detail) == [
        ("quarantined", "encoding_failed", "it failed")
    ]


def test_bytes_go_only_after_the_statistics(store: Store) -> None:
    admit(store, "a", fake("x"), fake("y"), real("z"))
    ids = embed(store)
    changed = {(GAN, "raw"): (2, b"two"), (KODAK, "raw"): (1, b"k")}
    store.samples.commit_statistics(PRINT, 1, changed, ids, T0)
    gone = fake("x")
    assert forget(store, "sample", gone.sha256).learned == 1
    with pytest.raises(TemporaryError, match="still hold"):
        store.samples.erase_forgotten(T0)
    (out,) = [row.id for row in rows(store, t.sample.c.id, t.sample.c.sha256) if row.sha256 == gone.sha256]
    store.samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (1, b"one")}, [], T0, removed=[out])
    before = {path.name for path in store.layout.vectors.iterdir()}
    left = [i for i in ids if i != out]
    kept = store.samples.vectors_of(PRINT, "raw", left)
    assert store.samples.erase_forgotten(T0) == 1
    assert before.isdisjoint(path.name for path in store.layout.vectors.iterdir())
    assert not store.layout.blob(gone.sha256).exists()
    assert np.array_equal(store.samples.vectors_of(PRINT, "raw", left), kept)
    with pytest.raises(CorruptArtifact, match="missing"):
        store.samples.blob(gone.sha256)
    assert store.samples.erase_forgotten(T0) == 0


def test_taking_out_is_refused_for_what_is_not_learned(store: Store) -> None:
    admit(store, "a", fake("x"), fake("y"))
    ids = embed(store)
    store.samples.commit_statistics(PRINT, 1, {(GAN, "raw"): (1, b"one")}, ids[:1], T0)
    with pytest.raises(TemporaryError, match="is not learned"):
        store.samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (0, b"")}, [], T0, removed=ids)
    assert store.samples.statistics(PRINT) == {(GAN, "raw"): b"one"}
    store.samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (0, b"")}, [], T0, removed=ids[:1])
    assert store.samples.statistics(PRINT) == {}
    assert list(store.layout.statistics.iterdir()) == []


def test_the_first_revision_that_took_a_sample_in_is_what_versions_are_compared_with(store: Store) -> None:
    admit(store, "a", fake("x"), fake("y"))
    one, two = embed(store)
    samples = store.samples
    samples.commit_statistics(PRINT, 1, {(GAN, "raw"): (2, b"two")}, [one, two], T0)
    samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (1, b"one")}, [], T0, removed=[one])
    assert samples.taken_out_since(PRINT, 1) == (1, 2)
    assert samples.taken_out_since(PRINT, 2) == (0, 0)
    assert [row.sample_id for row in samples.learned_rows(PRINT)] == [two]
    samples.commit_statistics(PRINT, 3, {(GAN, "raw"): (2, b"again")}, [one], T0)
    assert samples.learned_revisions(PRINT, [one, two]).tolist() == [1, 1]
    assert samples.labelled_vectors(PRINT, "raw").learned_revision.tolist() == [1, 1]
    assert samples.taken_out_since(PRINT, 1) == (0, 0)  # it is learned again
    assert [type(row) for row in samples.learned_rows(PRINT)] == [LearnedRow, LearnedRow]
    samples.commit_statistics(PRINT, 4, {(GAN, "raw"): (1, b"one")}, [], T0, removed=[one])
    assert samples.taken_out_since(PRINT, 3) == (1, 4)
    assert samples.learned_revisions(PRINT, [one]).tolist() == [1]


def test_a_revision_between_two_learnings_of_a_forgotten_sample_never_held_it(store: Store) -> None:
    """Taken out (a label conflict, say), learned again, then forgotten: every revision answers for what it held."""
    admit(store, "a", fake("x"), fake("y"))
    one, two = embed(store)
    samples = store.samples

    def held() -> list[int]:
        return [samples.forgotten_in(PRINT, revision) for revision in range(5)]

    samples.commit_statistics(PRINT, 1, {(GAN, "raw"): (2, b"two")}, [one, two], T0)
    samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (1, b"one")}, [], T0, removed=[one])
    samples.commit_statistics(PRINT, 3, {(GAN, "raw"): (2, b"again")}, [one], T0)
    assert held() == [0, 0, 0, 0, 0]  # nobody asked to forget it
    forget(store, "sample", fake("x").sha256)
    assert held() == [0, 1, 0, 1, 1]  # the last revision still has it
    samples.commit_statistics(PRINT, 4, {(GAN, "raw"): (1, b"one")}, [], T0, removed=[one])
    assert held() == [0, 1, 0, 1, 0]
    samples.erase_forgotten(T0)
    assert held() == [0, 1, 0, 1, 0]
    assert samples.forgotten_in("e" * 64, 3) == 0  # of another encoder
    admit(store, "b", fake("x", uri="b:x"))
    assert held() == [0, 0, 0, 0, 0]  # delivered anew: it is a sample again


@pytest.mark.parametrize("erased", [False, True])
def test_a_forgotten_picture_that_is_delivered_again_is_a_new_sample_with_its_old_id(
    store: Store, erased: bool
) -> None:
    admit(store, "a", fake("x", caption="old", group="g"), real("z"))
    embed(store)
    before = rows(store, t.sample.c.id, t.sample.c.sha256)
    forget(store, "sample", fake("x").sha256)
    if erased:
        store.samples.erase_forgotten(T0)
    receipt = store.samples.admit("b", "known", [fake("x", "dalle", uri="b:x", caption="new")], None, minutes(60))
    assert (receipt.stored, receipt.repeated) == (1, 0)
    store.samples.erase_forgotten(T0)
    assert rows(store, t.sample.c.id, t.sample.c.sha256) == before
    sample = rows(store, t.sample)[0]
    assert (sample.state, sample.caption, sample.delivered_at) == ("active", "new", minutes(60))
    assert store.samples.blob(fake("x").sha256) == fake("x").candidate.content
    assert {row.subject.name for row in store.samples.subjects()} == {"dalle", "kodak"}


def test_a_picture_that_was_never_learned_may_come_again_in_another_group(store: Store) -> None:
    admit(store, "a", fake("x", group="g"))
    forget(store, "source", "a")
    admit(store, "b", fake("x", group="h"))
    joined = select(t.sample_group.c.key).join(t.sample, t.sample.c.group_id == t.sample_group.c.id)
    with store.database.read() as connection:
        assert connection.execute(joined).scalars().all() == ["h"]


def test_a_picture_that_is_delivered_while_its_file_is_removed_keeps_its_bytes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit(store, "a", fake("x"))
    forget(store, "source", "a")
    again = replace(fake("x"), candidate=replace(fake("x").candidate, uri="b:x"))
    put = store.samples._blobs.put
    calls = []

    def then_removed(contents: Any) -> None:
        put(contents)
        calls.append(1)
        if len(calls) == 1:  # the picture is on disk, its row is not written yet: forgetting comes in between
            store.samples.erase_forgotten(T0)

    monkeypatch.setattr(store.samples._blobs, "put", then_removed)
    admit(store, "b", again)
    assert store.samples.blob(again.sha256) == again.candidate.content


def test_removing_files_that_are_gone_already_is_no_fault(store: Store) -> None:
    remove_files([store.layout.blob("ab" * 32), store.layout.vectors / "nothing"])


def test_vectors_of_several_shards_and_profiles_are_rewritten(store: Store) -> None:
    for number in range(4):
        admit(store, "a", fake(f"x{number}"), real(f"r{number}"), at=number)
        embed(store)
    ids = [row.id for row in rows(store, t.sample.c.id)]
    store.samples.add_vectors("e" * 64, "raw", ids, vectors(len(ids), d=3))
    gone = fake("x1")
    forget(store, "sample", gone.sha256)
    store.samples.erase_forgotten(T0)
    shards = rows(store, t.vector_shard.c.rows)
    assert sum(row.rows for row in shards) == 3 * 7
    assert len(rows(store, t.vector.c.sample_id)) == 3 * 7
