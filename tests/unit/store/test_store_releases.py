"""Releases and captions that are handed to adapters which make pictures, and the circuits of adapters."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from store_testing import T0, fake, minutes, real

from daemon.model import FEEDBACK, Prompt, Release
from store import Store
from store import tables as t

A = Release("lab/Flux", "1" * 40, "flux", "2030-01-02", "diffusion", "mit")


def report(store: Store, *releases: Release, adapter: str = "hub", at: float = 0) -> None:
    store.samples.admit(adapter, "known", [], f"cursor {at}", minutes(at), releases)


def families(store: Store) -> list[tuple[str, str | None, str | None]]:
    with store.database.read() as connection:
        query = select(t.family.c.name, t.family.c.kind, t.family.c.released).order_by(t.family.c.name)
        return [tuple(row) for row in connection.execute(query)]


def test_a_release_is_registered_with_its_family_and_the_cursor(store: Store) -> None:
    report(store, A, replace(A, model="lab/Sun", family="sun", released="2030-01-03"))
    assert [one.model for one in store.samples.releases("hub")] == ["lab/Flux", "lab/Sun"]
    assert store.samples.releases("hub")[0] == A
    assert families(store) == [("flux", "diffusion", "2030-01-02"), ("sun", "diffusion", "2030-01-03")]
    assert store.samples.cursor("hub") == "cursor 0"
    assert store.samples.releases("another") == []


def test_the_first_revision_stays(store: Store) -> None:
    report(store, A)
    report(store, replace(A, revision="2" * 40), A, at=1)
    assert store.samples.releases("hub") == [A]


def test_two_models_are_never_one_family(store: Store) -> None:
    report(store, A, replace(A, model="copy/Flux"))
    report(store, replace(A, model="copy_/flux"), adapter="other", at=1)
    names = [one.family for adapter in ("hub", "other") for one in store.samples.releases(adapter)]
    assert names[:2] == ["flux", "copy_flux"]
    assert len(set(names)) == 3
    report(store, A, adapter="other", at=2)  # the same model, found twice, is one family
    assert store.samples.releases("other")[-1].family == "flux"


def test_a_family_that_is_known_keeps_what_is_known_of_it(store: Store) -> None:
    store.samples.admit("a", "known", [fake("x", "flux", released="2029", kind="gan")], "1", T0)
    report(store, A)
    assert families(store) == [("flux", "gan", "2029")]


def test_a_renamed_family_stays_renamed(store: Store) -> None:
    store.samples.admit("a", "known", [fake("x", "flux")], "1", T0)
    store.samples.rename_family("flux", "flux_one", "its name", "me", minutes(1))
    report(store, A, at=2)
    assert [name for name, _, _ in families(store)] == ["flux_one"]
    store.samples.admit("maker", "known", [fake("y", "flux")], "1", minutes(3))
    assert {row.subject.name for row in store.samples.subjects()} == {"flux_one"}


def test_captions_come_with_their_photograph_s_group(store: Store) -> None:
    batch = [
        real("a", caption="a cat", group="g1"),
        real("b", caption="a dog"),
        real("c"),
        fake("d", caption="a fake"),
    ]
    store.samples.admit("a", "known", batch, "1", T0)
    store.samples.admit(FEEDBACK, "known", [real("e", caption="told")], "1", minutes(1))
    found = store.samples.captions(10)
    assert sorted(one.text for one in found) == ["a cat", "a dog"]
    assert Prompt("a cat", "g1") in found
    dog = next(one for one in found if one.text == "a dog")
    maker = fake("f", caption=dog.text, group=dog.group)
    store.samples.admit("maker", "known", [maker], "1", minutes(2))
    with store.database.read() as connection:
        sides = connection.execute(
            select(t.sample_group.c.key).join(t.sample).where(t.sample.c.caption == "a dog")
        ).scalars()
        assert len(set(sides)) == 1  # one group, so one side of every split
    assert len(store.samples.captions(1)) == 1


def test_a_circuit_is_remembered_until_a_poll_succeeds(store: Store) -> None:
    assert store.samples.failures("hub") == 0
    store.samples.note_failure("hub", 2, None, "gone")
    store.samples.note_failure("hub", 3, minutes(5), "still gone")
    (row,) = store.samples.adapters()
    assert (row.failures, row.retry_at, row.failure) == (3, minutes(5), "still gone")
    assert store.samples.failures("hub") == 3
    store.samples.note_success("hub", minutes(6))
    (row,) = store.samples.adapters()
    assert (row.failures, row.retry_at, row.failure) == (0, None, "")
