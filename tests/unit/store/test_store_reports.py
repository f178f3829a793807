"""What people report: deliveries of a source of their own, each once, with its row in the audit."""

from __future__ import annotations

import pytest

from daemon.errors import BadInputError
from daemon.model import FEEDBACK, Admission, Candidate, ForgetTarget, Reported, Subject
from store import Store
from store import tables as t
from tests.unit.store.store_testing import PRINT, T0, admission, embed, fake, minutes, real


def say(store: Store, one: Admission, *, key: str = "", trust: str = "known") -> Reported:
    """Report the picture of an admission as the admission claims it, by its bytes or by its name alone."""
    claim = one.candidate
    uri = f"key:{key}" if key else f"{claim.label}:{claim.family or ''}:{one.sha256}"
    candidate = Candidate(uri, claim.content, claim.label, claim.family, sha256=one.sha256)
    again = Admission(candidate, one.sha256, one.size, one.inspected, one.reason, one.detail)
    return store.samples.report(again, trust, "ada", "a note", T0)  # type: ignore[arg-type]


def subjects(store: Store) -> dict[str, tuple[str, int]]:
    return {row.subject.name: (row.trust, row.samples) for row in store.samples.subjects()}


def test_a_reported_photograph_is_a_labelled_real_of_its_own_source(store: Store) -> None:
    done = say(store, admission("p", label="real"))
    assert (done.outcome, done.repeated) == ("stored", False)
    assert subjects(store) == {FEEDBACK: ("known", 1)}
    assert [pending.sha256 for pending in store.samples.without_vector(PRINT, "raw", 9)] == [done.sha256]
    (row,) = store.registry.audit()
    assert (row.action, row.actor, row.reason, row.payload["outcome"]) == ("feedback", "ada", "a note", "stored")
    with store.database.read() as connection:
        assert connection.execute(t.delivery.select()).one().detail == "a note"


def test_the_same_report_again_changes_nothing_and_a_key_stands_for_one_report(store: Store) -> None:
    one, two = admission("p", label="real"), admission("q", label="real")
    first = say(store, one, key="7")
    again = say(store, one, key="7")
    assert (again.outcome, again.repeated, again.sha256) == ("known", True, first.sha256)
    for other in (two, admission("p", label="synthetic", family="sdxl")):
        with pytest.raises(BadInputError, match="another report"):
            say(store, other, key="7")
    assert say(store, one, key="8").outcome == "known"
    assert say(store, one).outcome == "known"
    assert say(store, one).repeated
    assert len(store.registry.audit()) == 3
    assert store.samples.sample_counts()["total"] == 1


def test_what_others_say_otherwise_is_a_conflict_and_the_reporter_is_told(store: Store) -> None:
    store.samples.admit("crawler", "trusted", [fake("p")], "1", T0)
    done = say(store, admission("p", label="real", without_content=True))
    assert (done.outcome, done.reason) == ("quarantined", "label_conflict")
    assert "real, earlier synthetic" in done.detail
    assert store.samples.quarantine_counts() == {"label_conflict": 1}
    assert say(store, admission("p", label="real", without_content=True)).repeated


def test_a_known_picture_without_label_becomes_the_reports_own(store: Store) -> None:
    store.samples.admit("crawler", "trusted", [admission("p"), admission("q"), real("r")], "1", T0)
    assert say(store, admission("p", label="real", without_content=True)).outcome == "stored"
    assert say(store, fake("q", without_content=True)).outcome == "stored"
    assert say(store, admission("r", label="real", without_content=True)).outcome == "known"
    assert subjects(store) == {FEEDBACK: ("known", 1), "stylegan2": ("known", 1), "kodak": ("trusted", 1)}
    with pytest.raises(BadInputError, match="send the picture itself"):
        say(store, admission("never seen", label="real", without_content=True))
    assert len(store.registry.audit()) == 3


def test_a_picture_that_cannot_be_used_is_rejected_and_counted(store: Store) -> None:
    bad = admission("p", label="real", reason="corrupt")
    assert say(store, bad).outcome == "rejected"
    assert (say(store, bad).reason, say(store, bad).repeated) == ("corrupt", True)
    assert [row.rejected for row in store.samples.adapters()] == [{"corrupt": 1}]
    assert store.registry.audit() == []


def test_reports_count_as_picked_but_of_families_that_nobody_else_delivers(store: Store) -> None:
    say(store, admission("real", label="real"))
    say(store, fake("only here", family="aurora"))
    say(store, fake("elsewhere too", family="sdxl"))
    (aurora, sdxl, photograph) = (
        sample(store, name) for name in (fake("only here"), fake("elsewhere too"), admission("real"))
    )
    assert store.samples.reported() == {photograph}
    store.samples.admit("crawler", "trusted", [fake("by a crawler", family="sdxl")], "1", T0)
    assert store.samples.reported() == {photograph, sdxl}
    assert aurora not in store.samples.reported()


def sample(store: Store, one: Admission) -> int:
    with store.database.read() as connection:
        found = connection.execute(t.sample.select().where(t.sample.c.sha256 == one.sha256)).one()
    return int(found.id)


def test_forgetting_the_reports_leaves_what_others_said(store: Store) -> None:
    store.samples.admit("crawler", "trusted", [fake("p"), admission("q", source="site")], "1", T0)
    embed(store)
    say(store, admission("p", label="real", without_content=True))
    say(store, admission("q", label="real", without_content=True))
    store.samples.forget(ForgetTarget("source", FEEDBACK), "spam", "ada", minutes(1))
    assert subjects(store) == {"stylegan2": ("trusted", 1)}
    assert store.samples.quarantine_counts() == {}
    with store.database.read() as connection:
        rows = connection.execute(t.sample.select().add_columns(t.source.c.name).join(t.source)).all()
    assert {(row.label, row.name) for row in rows} == {("synthetic", "crawler"), (None, "site")}


def test_a_label_that_comes_later_brings_its_source_and_forgetting_it_takes_both(store: Store) -> None:
    store.samples.admit("crawler", "untrusted", [admission("p")], "1", T0)
    store.samples.admit("archive", "trusted", [real("p", source="museum")], "1", T0)
    embed(store)
    assert store.samples.labelled_vectors(PRINT, "raw").subjects == (Subject("source", "museum"),)
    assert store.samples.untrusted() == set()
    store.samples.admit("other", "known", [real("p", source="flickr")], "1", T0)
    store.samples.forget(ForgetTarget("source", "museum"), "x", "ada", minutes(1))
    assert store.samples.labelled_vectors(PRINT, "raw").subjects == (Subject("source", "flickr"),)
