"""Group statistics: nothing is ever added twice."""

from __future__ import annotations

import numpy as np
import pytest
from store_testing import PRINT, T0, embed, fake, minutes, real

from daemon.errors import CorruptArtifact, TemporaryError
from daemon.model import Subject
from store import Store

GAN = Subject("family", "stylegan2")
KODAK = Subject("source", "kodak")


@pytest.fixture
def ids(store: Store) -> list[int]:
    for number, one in enumerate([fake("a"), fake("b"), real("c")]):
        store.samples.admit("man", "trusted", [one], str(number), minutes(number))
    return embed(store)


def test_a_revision_is_committed_with_its_samples(store: Store, ids: list[int]) -> None:
    assert store.samples.statistics_revision(PRINT) == 0
    store.samples.commit_statistics(PRINT, 1, {(GAN, "raw"): (1, b"one")}, ids[:1], T0)
    store.samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (2, b"two"), (KODAK, "raw"): (1, b"k")}, ids[1:], T0)
    assert store.samples.statistics_revision(PRINT) == 2
    assert store.samples.statistics(PRINT) == {(GAN, "raw"): b"two", (KODAK, "raw"): b"k"}
    assert store.samples.learned_revisions(PRINT, [*ids, 999]).tolist() == [1, 2, 2, 0]
    assert store.samples.labelled_vectors(PRINT, "raw").learned_revision.tolist() == [1, 2, 2]
    assert len(list(store.layout.statistics.iterdir())) == 2  # the superseded file is gone
    assert store.samples.statistics("e" * 64) == {}


@pytest.mark.parametrize("revision", [1, 3])
def test_another_revision_than_the_next_is_refused(store: Store, ids: list[int], revision: int) -> None:
    store.samples.commit_statistics(PRINT, 1, {(GAN, "raw"): (1, b"one")}, ids[:1], T0)
    with pytest.raises(TemporaryError, match="at revision 1"):
        store.samples.commit_statistics(PRINT, revision, {(GAN, "raw"): (2, b"two")}, ids[1:2], T0)
    assert store.samples.statistics(PRINT) == {(GAN, "raw"): b"one"}
    assert store.samples.learned_revisions(PRINT, ids).tolist() == [1, 0, 0]


def test_a_sample_is_never_learned_twice(store: Store, ids: list[int]) -> None:
    store.samples.commit_statistics(PRINT, 1, {(GAN, "raw"): (1, b"one")}, ids[:1], T0)
    with pytest.raises(TemporaryError, match="learned before"):
        store.samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (3, b"two")}, ids[:2], T0)
    assert store.samples.statistics_revision(PRINT) == 1


def test_a_sample_that_was_quarantined_meanwhile_is_not_learned(store: Store, ids: list[int]) -> None:
    store.samples.quarantine(ids[1], "label_conflict", "", T0)
    with pytest.raises(TemporaryError, match="no longer active"):
        store.samples.commit_statistics(PRINT, 1, {(GAN, "raw"): (2, b"two")}, ids[:2], T0)


def test_encoders_learn_apart(store: Store, ids: list[int]) -> None:
    for fingerprint in (PRINT, "e" * 64):
        store.samples.commit_statistics(fingerprint, 1, {(GAN, "raw"): (1, b"same")}, ids[:1], T0)
    store.samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (2, b"more")}, ids[1:2], T0)
    assert store.samples.statistics("e" * 64) == {(GAN, "raw"): b"same"}  # the shared file was not removed
    assert np.array_equal(store.samples.learned_revisions("e" * 64, ids), [1, 0, 0])


def test_a_changed_file_is_found(store: Store, ids: list[int]) -> None:
    store.samples.commit_statistics(PRINT, 1, {(GAN, "raw"): (1, b"one")}, ids[:1], T0)
    (path,) = store.layout.statistics.iterdir()
    path.write_bytes(b"two")
    with pytest.raises(CorruptArtifact):
        store.samples.statistics(PRINT)


def test_a_file_that_is_known_is_not_read_again(store: Store, ids: list[int]) -> None:
    parsed: list[bytes] = []

    def parse(content: bytes) -> str:
        parsed.append(content)
        return content.decode()

    known: dict[str, str] = {}
    both = {(GAN, "raw"): (1, b"one"), (GAN, "laundered"): (1, b"one"), (KODAK, "raw"): (1, b"k")}
    store.samples.commit_statistics(PRINT, 1, both, ids[:1], T0)
    assert store.samples.read_statistics(PRINT, parse, known) == {key: own.decode() for key, (_, own) in both.items()}
    assert sorted(parsed) == [b"k", b"one"], "the same content is read once"
    store.samples.commit_statistics(PRINT, 2, {(GAN, "raw"): (2, b"two")}, ids[1:2], T0)
    assert store.samples.read_statistics(PRINT, parse, known)[GAN, "raw"] == "two"
    assert sorted(parsed) == [b"k", b"one", b"two"]
    assert sorted(known.values()) == ["k", "one", "two"], "another group still has the same content as before"
    store.samples.commit_statistics(PRINT, 3, {(GAN, "raw"): (2, b"three")}, ids[2:3], T0)
    store.samples.read_statistics(PRINT, parse, known)
    assert "two" not in known.values(), "what was replaced takes no memory"
