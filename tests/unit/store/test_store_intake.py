"""Deliveries become samples, however often and in whatever order they come."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from store_testing import PRINT, T0, admission, embed, fake, minutes, real, vectors

from daemon.errors import BadInputError
from daemon.model import Receipt, Subject
from store import Store, open_store
from store import tables as t

BATCH = [
    real("r1", group="g1"),
    real("r2"),
    fake("f1", group="g1", released="2020-02", kind="gan"),
    fake("f2", "dalle2"),
    admission("u1"),
    admission("bad", reason="corrupt"),
    fake("f1", uri="file:elsewhere"),
]


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """What the store says about samples, without ids and times."""
    queries = {
        "samples": select(
            t.sample.c.sha256,
            t.sample.c.label,
            t.family.c.name,
            t.source.c.name,
            t.sample_group.c.key,
            t.sample_group.c.split,
            t.sample_group.c.fold,
            t.sample.c.state,
            t.sample.c.reason,
            t.sample.c.size,
            t.sample.c.phash,
        )
        .select_from(t.sample.join(t.source).join(t.sample_group).outerjoin(t.family))
        .order_by(t.sample.c.sha256),
        "deliveries": select(
            t.delivery.c.uri, t.delivery.c.sha256, t.delivery.c.label, t.delivery.c.family, t.delivery.c.reason
        ).order_by(t.delivery.c.uri, t.delivery.c.sha256),
        "families": select(t.family.c.name, t.family.c.kind, t.family.c.released).order_by(t.family.c.name),
        "rejections": select(t.rejection.c.outcome, t.rejection.c.reason, t.rejection.c.count),
        "adapters": select(t.adapter.c.name, t.adapter.c.stored, t.adapter.c.deliveries),
    }
    with store.database.read() as connection:
        return {name: [tuple(row) for row in connection.execute(query)] for name, query in queries.items()}


def test_how_a_picture_was_made_and_may_be_used_is_kept_with_its_delivery(store: Store) -> None:
    made = {"steps": 20, "seed": 2**63, "model": "m"}
    batch = [fake("a", generation=made, licence="CC0-1.0", consent="models released"), fake("b")]
    store.samples.admit("man", "trusted", batch, "1", T0)
    d = t.delivery.c
    with store.database.read() as connection:
        found = connection.execute(select(d.generation, d.licence, d.consent).order_by(d.uri)).all()
    assert [tuple(row) for row in found] == [
        (f'{{"model": "m", "seed": {2**63}, "steps": 20}}', "CC0-1.0", "models released"),
        (None, None, None),
    ]


def test_a_batch_is_stored_once_with_its_cursor(store: Store) -> None:
    receipt = store.samples.admit("man", "trusted", BATCH, "row 7", T0)
    assert receipt == Receipt(stored=5, repeated=1, rejected=1, quarantined=0)
    assert store.samples.cursor("man") == "row 7"
    assert store.samples.cursor("another") is None
    assert store.samples.sample_counts() == {"active": 5, "quarantined": 0, "total": 5}
    assert store.samples.blob(BATCH[0].sha256) == BATCH[0].candidate.content


def test_the_same_batch_again_changes_nothing(store: Store) -> None:
    store.samples.admit("man", "trusted", BATCH, "7", T0)
    before = rows(store)
    receipt = store.samples.admit("man", "trusted", BATCH, "7", minutes(5))
    assert receipt == Receipt(stored=0, repeated=7, rejected=0, quarantined=0)
    assert rows(store) == before


@pytest.mark.parametrize("seed", range(5))
def test_deliveries_shuffled_across_batches_and_repeated_give_the_same_rows(
    seed: int, store: Store, tmp_path: Any
) -> None:
    store.samples.admit("man", "trusted", BATCH, "7", T0)
    shuffled = BATCH * 3
    random.Random(seed).shuffle(shuffled)
    with open_store(tmp_path / "other") as other:
        for number in range(0, len(shuffled), 4):
            other.samples.admit("man", "trusted", shuffled[number : number + 4], str(number), minutes(number))
        assert rows(other) == rows(store)


def test_a_shuffled_batch_gives_the_same_ids(store: Store, tmp_path: Any) -> None:
    store.samples.admit("man", "trusted", BATCH, "7", T0)
    with open_store(tmp_path / "other") as other:
        other.samples.admit("man", "trusted", BATCH[::-1], "7", T0)
        ids = [
            [(sample.sample_id, sample.sha256) for sample in each.samples.without_vector(PRINT, "raw", 100)]
            for each in (store, other)
        ]
    assert ids[0] == ids[1] and len(ids[0]) == 5


def test_deliveries_that_disagree_put_the_sample_in_quarantine(store: Store) -> None:
    store.samples.admit("one", "trusted", [fake("f1"), real("r1"), fake("f2")], "1", T0)
    receipt = store.samples.admit("two", "trusted", [fake("f1", "dalle2"), fake("r1"), fake("f2")], "1", minutes(1))
    assert receipt == Receipt(stored=0, repeated=3, rejected=0, quarantined=2)
    assert store.samples.sample_counts() == {"active": 1, "quarantined": 2, "total": 3}
    two = next(adapter for adapter in store.samples.adapters() if adapter.name == "two")
    assert two.quarantined == {"label_conflict": 2}
    embed(store)
    assert len(store.samples.labelled_vectors(PRINT, "raw")) == 1


def test_an_unknown_label_is_filled_in_by_a_later_delivery(store: Store) -> None:
    store.samples.admit("one", "trusted", [admission("x", uri="a")], "1", T0)
    embed(store)
    assert len(store.samples.labelled_vectors(PRINT, "raw")) == 0
    store.samples.admit("two", "trusted", [fake("x", uri="b", group="g9", caption="a cat")], "1", minutes(1))
    found = store.samples.labelled_vectors(PRINT, "raw")
    assert found.subjects == (Subject("family", "stylegan2"),)
    assert found.groups == ("g9",)
    assert found.delivered_at == (T0,)  # the first delivery counts


def test_the_same_delivery_may_bring_its_label_late(store: Store) -> None:
    store.samples.admit("one", "trusted", [admission("x", uri="a")], "1", T0)
    store.samples.admit("one", "trusted", [fake("x", uri="a")], "2", minutes(1))
    assert [row.subject.name for row in store.samples.subjects()] == ["stylegan2"]
    before = rows(store)
    store.samples.admit("one", "trusted", [admission("x", uri="a")], "2", minutes(2))
    assert rows(store) == before


def test_a_late_label_makes_old_scores_news_to_the_sequential_tests(store: Store) -> None:
    store.samples.admit("one", "trusted", [admission("x"), fake("y")], "1", T0)
    ids = embed(store)
    store.samples.add_scores("v0001-00000000", "raw", ids, np.array([1.0, 2.0]), np.zeros(2, bool), T0)
    (seen,) = store.samples.scored_rows("v0001-00000000", "raw")
    store.samples.admit("two", "trusted", [fake("x")], "1", minutes(1))
    (late,) = store.samples.scored_rows("v0001-00000000", "raw", after_score_id=max(ids[-1], seen.score_id))
    assert late.sample_id != seen.sample_id
    assert {seen.logit, late.logit} == {1.0, 2.0}


def test_a_learned_sample_keeps_its_group(store: Store) -> None:
    store.samples.admit("one", "trusted", [fake("x")], "1", T0)
    ids = embed(store)
    changed = {(Subject("family", "stylegan2"), "raw"): (1, b"state")}
    store.samples.commit_statistics(PRINT, 1, changed, ids, T0)
    store.samples.admit("two", "trusted", [fake("x", group="g1")], "1", minutes(1))
    assert store.samples.labelled_vectors(PRINT, "raw").groups == (f"sample:{fake('x').sha256}",)


def test_a_source_keeps_the_lowest_trust_of_its_adapters(store: Store) -> None:
    store.samples.admit("good", "trusted", [real("a")], "1", T0)
    store.samples.admit("poor", "untrusted", [real("b")], "1", T0)
    store.samples.admit("fair", "known", [real("c")], "1", T0)
    (row,) = store.samples.subjects()
    assert (row.subject, row.trust, row.samples) == (Subject("source", "kodak"), "untrusted", 3)


def test_a_synthetic_sample_without_family_is_no_subject_and_a_source_defaults_to_the_adapter(store: Store) -> None:
    store.samples.admit("inbox", "known", [admission("a", label="synthetic"), admission("b", label="real")], "1", T0)
    embed(store)
    assert store.samples.labelled_vectors(PRINT, "raw").subjects == (Subject("source", "inbox"),)


def test_rejections_are_counted_by_reason(store: Store) -> None:
    bad = [admission("a", reason="corrupt"), admission("b", reason="corrupt"), admission("c", reason="too_small")]
    store.samples.admit("man", "trusted", bad, "1", T0)
    assert store.samples.adapters()[0].rejected == {"corrupt": 2, "too_small": 1}
    assert store.samples.sample_counts()["total"] == 0


def test_a_real_picture_with_a_family_is_a_bad_record(store: Store) -> None:
    receipt = store.samples.admit("man", "trusted", [real("a", family="dalle2")], "1", T0)
    assert receipt.rejected == 1
    assert store.samples.adapters()[0].rejected == {"bad_record": 1}


def test_precomputed_vectors_count_under_both_profiles(store: Store) -> None:
    first, second = vectors(2)
    batch = [
        fake("a", without_content=True, vector=first, vector_fingerprint=PRINT),
        real("b", without_content=True, vector=second, vector_fingerprint=PRINT),
    ]
    store.samples.admit("man", "trusted", batch, "1", T0)
    store.samples.admit("man", "trusted", batch, "1", T0)
    for profile in ("raw", "laundered"):
        found = store.samples.labelled_vectors(PRINT, profile)
        by_subject = dict(zip((subject.kind for subject in found.subjects), found.vectors, strict=True))
        assert np.array_equal(by_subject["family"], first) and np.array_equal(by_subject["source"], second)
    assert store.samples.without_vector("e" * 64, "raw", 10) == []  # there is no picture to encode


@pytest.mark.parametrize("vector", [vectors(1, d=9)[0], np.array([np.nan] * 8, np.float16), vectors(1)])
def test_a_vector_that_does_not_fit_its_encoder_is_a_bad_record(store: Store, vector: Any) -> None:
    good = fake("a", vector=vectors(1)[0], vector_fingerprint=PRINT)
    store.samples.admit("man", "trusted", [good], "1", T0)
    receipt = store.samples.admit("man", "trusted", [fake("b", vector=vector, vector_fingerprint=PRINT)], "2", T0)
    assert (receipt.stored, receipt.rejected) == (0, 1)


def test_outside_scores_are_kept_but_do_not_count_as_ours(store: Store) -> None:
    store.samples.admit("man", "trusted", [fake("a", outside_scores=(("rival", 0.7),))], "1", T0)
    ids = embed(store)
    assert store.samples.unscored(PRINT, 10) == ids
    assert [row.logit for row in store.samples.scored_rows("outside:rival", "raw")] == [0.7]


def test_bytes_that_do_not_hash_to_their_name_are_refused(store: Store) -> None:
    wrong = fake("a")
    object.__setattr__(wrong, "sha256", "0" * 64)
    with pytest.raises(BadInputError, match="hash to something else"):
        store.samples.admit("man", "trusted", [wrong], "1", T0)
    assert store.samples.cursor("man") is None


def test_quarantine_is_counted_once_and_keeps_its_first_reason(store: Store) -> None:
    store.samples.admit("man", "trusted", [fake("a"), fake("b")], "1", T0)
    ids = embed(store)
    store.samples.quarantine(ids[0], "encoding_failed", "not finite", T0)
    store.samples.quarantine(ids[0], "decoder_crashed", "signal 11", T0)
    assert store.samples.adapters()[0].quarantined == {"encoding_failed": 1}
    assert store.samples.sample_counts() == {"active": 1, "quarantined": 1, "total": 2}
    assert store.samples.unscored(PRINT, 10) == ids[1:]


def test_success_is_noted(store: Store) -> None:
    store.samples.note_success("man", minutes(3))
    assert store.samples.adapters()[0].last_success_at == minutes(3)
