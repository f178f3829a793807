# ruff: noqa: F811
"""A person's word on samples: it wins over deliveries, and everything that was made from the labels follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from daemon.champion import load_version
from daemon.corrections.model import Correction, Relabel
from daemon.cycle import CycleReport, run_cycle
from daemon.errors import BadInputError, TemporaryError
from daemon.evaluate.measuring import differing_figures
from daemon.learn.bookkeeping import bring_up_to_date, finish_corrections
from daemon.learn.learning import holds_forgotten
from daemon.model import Candidate, ForgetTarget, Subject
from store import tables as t
from tests.integration import world as worlds
from tests.integration.test_alarms import alarm, disguised, kinds, status
from tests.integration.test_forgetting import (
    assert_same_scores,
    assert_same_statistics,
    begun,  # noqa: F401  (a fixture)
    challenger,
    deliver,
    digest,
    forget,
    ids_of,
    in_train,
    learned,
    world,  # noqa: F401  (a fixture)
)
from tests.integration.test_story import assert_whole
from tests.integration.world import ADAPTER, FINGERPRINT, KNOWN, NEW, SOURCES, World, beginning, candidate


def relabel(world: World, candidates: Sequence[Candidate], said: Relabel | None) -> Correction | None:
    digests = [digest(one) for one in candidates]
    return world.store.samples.relabel(digests, said, "seen by hand", "tester", world.clock.now())


def known(name: str, count: int) -> list[Candidate]:
    """Learned pictures of what is known on day 0."""
    return [c for c in in_train(name, 60) if c in beginning()][:count]


def rows_of(world: World, one: Candidate) -> tuple[str | None, str | None, str, str, str | None]:
    """(label, family, source, state, reason)"""
    s = t.sample.c
    joined = t.sample.join(t.source).outerjoin(t.family)
    query = select(s.label, t.family.c.name, t.source.c.name, s.state, s.reason).select_from(joined)
    with world.store.database.read() as connection:
        return tuple(connection.execute(query.where(s.sha256 == digest(one))).one())  # type: ignore[return-value]


@pytest.mark.parametrize("dimension", [16, 160], ids=["packed", "rows kept"])
def test_the_head_is_the_one_of_a_store_to_which_the_right_labels_were_delivered(
    dimension: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds, "DIMENSION", dimension)
    world, fresh = World(tmp_path / "world"), World(tmp_path / "fresh")
    moved, real = known(KNOWN[0], 9), known(KNOWN[1], 5)
    world.inbox.put(beginning())
    world.cycle()
    before = world.context.champion.get()
    assert before is not None
    relabel(world, moved, Relabel("synthetic", KNOWN[2]))
    relabel(world, real, Relabel("real", source=SOURCES[1]))
    assert_whole(world)  # nothing has followed yet, and nothing is broken
    report = world.cycle()
    assert report.corrected == 2 and report.version is not None
    rights = {digest(c): {"family": KNOWN[2]} for c in moved}
    rights |= {digest(c): {"label": "real", "family": None, "source": SOURCES[1]} for c in real}
    fresh.inbox.put(replace(c, **rights.get(digest(c), {})) for c in beginning())
    fresh.cycle()
    assert_same_statistics(world, fresh)
    theirs = fresh.context.champion.get()
    assert theirs is not None
    assert_same_scores(fresh, load_version(world.store.registry, world.store.registry.version(report.version)), theirs)
    assert holds_forgotten(world.context, before) == 14
    assert world.store.samples.pending_corrections() == []
    assert world.until_idle() == 1  # the gate has answered: no second challenger of the same
    assert_whole(world)


def test_it_wins_over_deliveries_before_and_after(world: World) -> None:
    one, two = known(KNOWN[0], 2)
    deliver(world, [replace(one, uri="x:1", family=KNOWN[1])], "x")
    assert rows_of(world, one)[3:] == ("quarantined", "label_conflict")
    made = relabel(world, [one, two], Relabel("synthetic", KNOWN[2]))
    assert made is not None and made.samples == 2 and made.learned == 2
    assert made.subjects == (Subject("family", KNOWN[0]), Subject("family", KNOWN[2]))
    deliver(world, [replace(one, uri="y:1", family=KNOWN[1]), replace(two, uri="y:2", label="real", family=None)], "y")
    for sample in (one, two):
        assert rows_of(world, sample) == ("synthetic", KNOWN[2], "world", "active", None)
    assert world.store.samples.quarantine_counts() == {}
    bring_up_to_date(world.context)
    assert {learned(world)[i] for i in ids_of(world, [one, two])} == {Subject("family", KNOWN[2])}
    assert_whole(world)


def test_taken_back_the_deliveries_decide_again(world: World) -> None:
    one, two = known(KNOWN[0], 2)
    deliver(world, [replace(one, uri="x:1", family=KNOWN[1])], "x")
    relabel(world, [one, two], Relabel("real", source="somebody"))
    assert rows_of(world, one) == ("real", None, "somebody", "active", None)
    assert relabel(world, [two, one], Relabel("real", source="somebody")) is None
    relabel(world, [one, two], None)
    assert rows_of(world, one)[1:] == (KNOWN[0], "world", "quarantined", "label_conflict")
    assert rows_of(world, two) == ("synthetic", KNOWN[0], "world", "active", None)
    assert relabel(world, [one, two], None) is None
    world.until_idle()
    assert learned(world)[ids_of(world, [two])[0]] == Subject("family", KNOWN[0])
    assert_whole(world)


def test_a_family_that_is_left_open_comes_from_the_deliveries_and_must_not_be_disputed(world: World) -> None:
    one, two = known(KNOWN[0], 2)
    photo = known(SOURCES[0], 1)[0]
    deliver(world, [replace(one, uri="x:1", family=KNOWN[1]), replace(two, uri="x:2", label="real", family=None)], "x")
    with pytest.raises(BadInputError, match=f"disagree on its family .*{KNOWN[1]}"):
        relabel(world, [one], Relabel("synthetic"))
    assert rows_of(world, one)[3] == "quarantined"
    relabel(world, [two, photo], Relabel("synthetic"))
    assert rows_of(world, two)[:2] == ("synthetic", KNOWN[0])
    assert rows_of(world, photo)[:2] == ("synthetic", None)
    deliver(world, [replace(photo, uri="y:1", label="synthetic", family=KNOWN[1])], "y")
    assert rows_of(world, photo)[:2] == ("synthetic", KNOWN[1])
    assert_whole(world)


def test_it_is_audited_and_unknown_samples_are_refused(world: World) -> None:
    one = known(KNOWN[0], 1)[0]
    made = relabel(world, [one], Relabel("real"))
    row = world.store.registry.audit()[-1]
    assert made is not None and row.number == made.number
    assert (row.action, row.actor, row.reason, row.version) == ("relabel", "tester", "seen by hand", None)
    assert row.payload == {"samples": [digest(one)], "said": {"label": "real", "family": None, "source": None}}
    facts = world.store.samples.sample_facts(digest(one)[:8])
    assert facts.relabelled is not None and facts.relabelled.reason == "seen by hand"
    assert facts.relabelled.relabel == Relabel("real") and facts.label_from is None
    with pytest.raises(BadInputError, match="there is no sample"):
        relabel(world, [candidate("nobody", 1)], Relabel("real"))


def test_a_word_that_the_deliveries_said_too_moves_nothing(world: World) -> None:
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None
    tests, figures = world.store.samples.test_states(champion.id), world.store.samples.latest_evaluations(champion.id)
    made = relabel(world, known(SOURCES[0], 2), Relabel("real"))
    assert made is not None and (made.samples, made.learned, made.subjects) == (2, 0, ())
    assert world.store.samples.test_states(champion.id) == tests
    assert world.store.samples.latest_evaluations(champion.id) == figures
    (one, _) = known(SOURCES[0], 2)
    deliver(world, [replace(one, uri="x:1", label="synthetic", family=KNOWN[0])], "x")
    assert rows_of(world, one) == ("real", None, SOURCES[0], "active", None)
    assert_whole(world)


def test_a_new_source_is_trusted_as_little_as_what_its_samples_came_from(world: World) -> None:
    strange = [candidate(KNOWN[0], i, source="dump") for i in range(900, 903)]
    deliver(world, strange, "dump", "untrusted")
    relabel(world, strange[:2], Relabel("real", source="found_photos"))
    relabel(world, strange[2:], Relabel("real", source=SOURCES[0]))
    trust = {row.subject.name: row.trust for row in world.store.samples.subjects() if row.subject.kind == "source"}
    assert (trust["found_photos"], trust[SOURCES[0]]) == ("untrusted", "trusted")
    bring_up_to_date(world.context)
    assert learned(world).keys().isdisjoint(ids_of(world, strange[:2]))
    assert_whole(world)


# --- alarms and figures ------------------------------------------------------------------------------------


def evidence(world: World, family: str) -> tuple[int, float]:
    champion = world.store.registry.champion()
    assert champion is not None
    (test,) = [one for one in world.store.samples.test_states(champion.id) if one.subject.name == family]
    return test.votes, test.log10_evidence


def watched(world: World) -> CycleReport:
    """A day on which nothing is learned."""
    report = run_cycle(world.context, [ADAPTER], may_learn=lambda: False)
    world.clock.after_cycle()
    return report


def accused(world: World) -> list[Candidate]:
    """Photographs that were delivered as pictures of a new family, so that it seems to evade."""
    world.until_idle()
    world.inbox.put([candidate(NEW, i, content=f"{SOURCES[2]}:x{i}".encode()) for i in range(14)])
    assert watched(world).alarmed == (NEW,)
    return [candidate(NEW, i, content=f"{SOURCES[2]}:x{i}".encode()) for i in range(14)]


def test_a_family_that_only_wrong_labels_accused_is_gone_and_its_episode_closed(world: World) -> None:
    wrong = accused(world)
    relabel(world, wrong, Relabel("real", source=SOURCES[2]))
    (episode,) = world.store.samples.episodes()
    assert (episode.state, episode.note) == ("closed", "relabelled: seen by hand")
    assert world.store.samples.subject_states()[Subject("family", NEW)].state == ""
    world.until_idle()
    assert [f.name for f in status(world).families] == sorted(KNOWN)
    assert_whole(world)


def test_evidence_is_counted_anew_from_the_stored_scores(tmp_path: Path, world: World) -> None:
    """As if the right labels had been delivered; an alarm that does not stand is over."""
    fresh = World.settled(tmp_path / "fresh")
    wrong = accused(world)
    healthy = [candidate(NEW, i, content=f"{KNOWN[0]}:n{i}".encode()) for i in range(30)]
    healthy = [replace(c, uri=f"h:{c.uri}", group=f"h:{c.group}") for c in healthy]
    world.inbox.put(healthy)
    watched(world)
    assert status_of(world, NEW) == "evading"
    relabel(world, wrong, Relabel("real", source=SOURCES[2]))
    assert status_of(world, NEW) == "evading"  # its alarm stands until the votes are counted anew
    watched(world)
    assert status_of(world, NEW) == "detected"
    (episode,) = world.store.samples.episodes()
    assert (episode.state, episode.note) == (
        "closed",
        "not proved any more since labels were corrected or pictures forgotten",
    )
    fresh.inbox.put([replace(c, label="real", family=None, source=SOURCES[2]) for c in wrong])
    watched(fresh)
    fresh.inbox.put(healthy)
    watched(fresh)
    for name in (NEW, SOURCES[2]):
        assert evidence(world, name) == pytest.approx(evidence(fresh, name), rel=1e-12)
    world.until_idle()
    assert_whole(world)


def status_of(world: World, family: str) -> str:
    (found,) = [one.state for one in status(world).families if one.name == family]
    return found


def test_an_alarm_that_stands_when_all_is_counted_anew_is_told_once(world: World) -> None:
    world.until_idle()
    evading = [candidate(NEW, i) for i in range(8)]
    world.inbox.put(evading)
    assert world.cycle().alarmed == (NEW,)
    before = world.store.samples.episodes()
    relabel(world, evading[:1], Relabel("synthetic", KNOWN[0]))
    assert world.cycle().alarmed == ()
    assert evidence(world, NEW)[0] == 7
    assert world.store.samples.episodes() == before
    assert kinds(world).count("family_evades") == 1
    assert_whole(world)


def test_figures_are_measured_anew_and_the_real_pools_alarm_with_them(world: World) -> None:
    world.until_idle()
    strange = [
        replace(c, label="real", family=None, source=SOURCES[0]) for c in disguised(SOURCES[0], KNOWN[0], range(40))
    ]
    world.inbox.put(strange)
    world.cycle()
    shift = alarm(world, "real_pool_shift")
    assert shift is not None and shift.raised_at is not None
    champion = world.store.registry.champion()
    assert champion is not None
    relabel(world, strange, Relabel("synthetic", NEW))
    assert world.store.samples.latest_evaluations(champion.id) == []
    world.cycle()
    shift = alarm(world, "real_pool_shift")
    assert shift is not None and shift.raised_at is None
    assert status_of(world, NEW) == "detected"
    world.cycle()
    assert differing_figures(world.context) == []
    assert_whole(world)


def test_whoever_worked_from_the_labels_before_is_refused(world: World) -> None:
    samples = world.store.samples
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None
    labels, revision = samples.label_revision(), samples.statistics_revision(FINGERPRINT)
    rows, tests = samples.latest_evaluations(champion.id), samples.test_states(champion.id)
    relabel(world, known(KNOWN[0], 1), Relabel("real"))
    assert samples.label_revision() > labels
    with pytest.raises(TemporaryError, match="labels were corrected"):
        samples.save_evaluations(rows, labels=labels)
    with pytest.raises(TemporaryError, match="labels were corrected"):
        samples.save_tests(tests, [], labels=labels)
    with pytest.raises(TemporaryError, match="learn again"):
        samples.commit_statistics(FINGERPRINT, revision + 1, {}, [], world.clock.now())
    forgotten = samples.label_revision()
    forget(world, ForgetTarget("source", SOURCES[5]))
    assert samples.label_revision() > forgotten


# --- beside forgetting -------------------------------------------------------------------------------------


def test_forgetting_a_family_takes_what_people_say_it_is_and_leaves_what_they_say_it_is_not(world: World) -> None:
    here, away = known(KNOWN[1], 2), known(KNOWN[0], 2)
    relabel(world, here, Relabel("synthetic", KNOWN[0]))
    relabel(world, away, Relabel("synthetic", KNOWN[1]))
    forget(world, ForgetTarget("family", KNOWN[0]))
    assert {rows_of(world, one)[3] for one in here} == {"forgotten"}
    assert {rows_of(world, one)[:2] for one in away} == {("synthetic", KNOWN[1])}
    world.until_idle()
    assert_whole(world)


def test_a_forgotten_sample_that_comes_again_is_what_is_delivered(world: World) -> None:
    (one,) = known(KNOWN[0], 1)
    relabel(world, [one], Relabel("real"))
    forget(world, ForgetTarget("sample", digest(one)))
    with pytest.raises(BadInputError, match="there is no sample"):
        relabel(world, [one], Relabel("real"))
    deliver(world, [replace(one, uri="x:1")], "x")
    assert rows_of(world, one)[:2] == ("synthetic", KNOWN[0])
    assert_whole(world)


def test_a_forgotten_family_leaves_only_the_number_of_its_states_and_is_new_when_it_comes_again(world: World) -> None:
    world.until_idle()
    family = Subject("family", NEW)
    world.inbox.put(candidate(NEW, i) for i in range(8))
    world.until_idle()
    assert world.store.samples.subject_states()[family].state in ("evading", "inverted")
    told = len([e for e in world.told if e.kind == "family_state_changed"])
    number = world.store.samples.subject_states()[family].number
    forget(world, ForgetTarget("family", NEW))
    gone = world.store.samples.subject_states()[family]
    assert (gone.state, gone.number) == ("", number)
    world.inbox.put(candidate(NEW, i) for i in range(100, 108))
    world.until_idle()
    assert world.store.samples.subject_states()[family].state in ("evading", "inverted")
    assert len([e for e in world.told if e.kind == "family_state_changed"]) == 2 * told
    assert_whole(world)


# --- the end of the process --------------------------------------------------------------------------------


def test_a_process_that_ends_before_statistics_followed_goes_on_with_it(world: World) -> None:
    moved = known(KNOWN[0], 3)
    relabel(world, moved, Relabel("synthetic", KNOWN[2]))
    world.store.close()
    world.open()
    assert len(world.store.samples.pending_corrections()) == 1
    assert {learned(world)[i] for i in ids_of(world, moved)} == {Subject("family", KNOWN[0])}
    assert finish_corrections(world.context) == 1
    assert {learned(world)[i] for i in ids_of(world, moved)} == {Subject("family", KNOWN[2])}
    assert finish_corrections(world.context) == 0
    assert holds_forgotten(world.context, challenger(world)) == 0
    assert_whole(world)
