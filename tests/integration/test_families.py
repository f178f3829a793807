"""Corrections of families: names, mergers, splits, retirement, anchors, and everything that follows."""
# ruff: noqa: F811

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.corrections.model import Correction, FamilyFacts, FamilyPart, Relabel
from daemon.errors import BadInputError, TemporaryError
from daemon.evaluate.measuring import differing_figures
from daemon.learn.bookkeeping import bring_up_to_date, finish_corrections
from daemon.learn.learning import holds_forgotten, update
from daemon.model import Candidate, Episode, ForgetTarget, Subject
from daemon.promote.deciding import promote_by_hand, roll_back
from daemon.promote.judging import judge
from tests.integration.test_alarms import kinds, status
from tests.integration.test_forgetting import (
    assert_same_statistics,
    begun,  # noqa: F401  (a fixture)
    challenger,
    deliver,
    digest,
    forget,
    ids_of,
    in_train,
    learned,
    statistics,
    world,  # noqa: F401  (a fixture)
)
from tests.integration.test_relabel import evidence, known, relabel, rows_of, status_of, watched
from tests.integration.test_story import assert_whole
from tests.integration.world import FINGERPRINT, KNOWN, NEW, SOURCES, World, beginning, candidate

OLD, OTHER, THIRD = KNOWN


def rename(world: World, old: str, new: str) -> Correction | None:
    return world.store.samples.rename_family(old, new, "its card", "tester", world.clock.now())


def merge(world: World, name: str, into: str) -> Correction | None:
    return world.store.samples.merge_families(name, into, "the same model", "tester", world.clock.now())


def split(
    world: World, name: str, new: str, part: FamilyPart | None = None, samples: Sequence[Candidate] = ()
) -> Correction | None:
    digests = [digest(one) for one in samples]
    return world.store.samples.split_family(
        name, new, part or FamilyPart(), digests, "two models", "tester", world.clock.now()
    )


def retire(world: World, name: str, *, undo: bool = False) -> Correction | None:
    return world.store.samples.retire_family(name, undo, "obsolete", "tester", world.clock.now())


def anchor(world: World, name: str, *, undo: bool = False) -> Correction | None:
    return world.store.samples.anchor_family(name, undo, "to compare", "tester", world.clock.now())


def facts(world: World) -> dict[str, FamilyFacts]:
    return {one.name: one for one in world.store.samples.families()}


def names(world: World) -> list[str]:
    return [family.name for family in status(world).families]


def follow(world: World) -> None:
    finish_corrections(world.context)


def evading(world: World, count: int = 8, name: str = NEW) -> None:
    """A family that the champion misses, with an open episode, not learned."""
    world.until_idle()
    world.inbox.put(candidate(NEW, i, family=name, uri=f"{name}/{i}") for i in range(count))
    assert watched(world).alarmed == (name,)


def episode(world: World) -> Episode:
    (found,) = world.store.samples.episodes()
    return found


# --- rename ------------------------------------------------------------------------------------------------


def test_a_renamed_family_is_the_same_under_another_name(world: World) -> None:
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None
    tests, figures = world.store.samples.test_states(champion.id), world.store.samples.latest_evaluations(champion.id)
    moments = statistics(world)[Subject("family", OLD), "raw"].moments(None)
    made = rename(world, OLD, "stylegan")
    assert made is not None and (made.samples, made.learned) == (60, 0)
    assert made.subjects == (Subject("family", "stylegan"),)
    new = Subject("family", "stylegan")
    assert {one.subject: one for one in world.store.samples.test_states(champion.id)} == {
        one.subject: one
        for test in tests
        for one in [replace(test, subject=new) if test.subject == Subject("family", OLD) else test]
    }
    assert sorted(map(str, world.store.samples.latest_evaluations(champion.id))) == sorted(
        str(replace(row, subject=new) if row.subject == Subject("family", OLD) else row) for row in figures
    )
    assert (statistics(world)[new, "raw"].moments(None).second == moments.second).all()
    assert names(world) == sorted({*KNOWN, "stylegan"} - {OLD})
    report = world.cycle()
    assert (report.version, report.told, report.corrected) == (None, 0, 1) and world.cycle().idle
    loaded = world.context.champion.get()
    assert loaded is not None and new in loaded.known and holds_forgotten(world.context, loaded) == 0
    assert differing_figures(world.context) == []
    assert_whole(world)


def test_the_old_name_stays_an_alias_for_what_adapters_deliver(world: World) -> None:
    rename(world, OLD, "first")
    rename(world, "first", "second")
    later = [candidate(OLD, 700), candidate(OLD, 701, family="first"), candidate(OLD, 702, family="second")]
    deliver(world, later, "x")
    assert {rows_of(world, one)[1] for one in later} == {"second"}
    assert facts(world)["second"].aliases == (OLD, "first")
    assert OLD not in facts(world)
    assert_whole(world)


def test_it_may_be_renamed_back(world: World) -> None:
    rename(world, OLD, "first")
    deliver(world, [candidate(OLD, 700)], "x")
    rename(world, "first", OLD)
    deliver(world, [candidate(OLD, 701), candidate(OLD, 702, family="first")], "x")
    assert facts(world)[OLD].aliases == ("first",)
    assert facts(world)[OLD].samples == 63
    assert_whole(world)


def test_an_open_episode_and_its_alarm_go_on_under_the_new_name(world: World) -> None:
    evading(world)
    before = episode(world)
    rename(world, NEW, "flux")
    assert episode(world) == replace(before, family="flux")
    assert status_of(world, "flux") in ("evading", "inverted")
    assert watched(world).alarmed == ()
    assert kinds(world).count("family_evades") == 1
    world.inbox.put(candidate(NEW, i) for i in range(100, 140))
    world.until_idle()
    found = episode(world)
    assert found.family == "flux" and found.state in ("learned", "recovered")  # the verdict names the family so
    assert_whole(world)


def test_verdicts_of_the_time_before_still_count(world: World) -> None:
    """A family learned under its old name is settled under its new one, whatever the champion's verdict calls it."""
    evading(world)
    world.inbox.put(candidate(NEW, i) for i in range(100, 130))
    world.cycle()
    settled = episode(world)
    assert settled.state == "learned"
    world.store.samples.update_episode(replace(settled, state="alarmed", version=None, learned_at=None))
    rename(world, NEW, "flux")
    world.cycle()
    assert (episode(world).family, episode(world).state) == ("flux", "learned")


def test_events_of_two_families_that_had_one_name_do_not_hide_each_other(world: World) -> None:
    evading(world)
    told = world.store.samples.subject_states()[Subject("family", NEW)].number
    forget(world, ForgetTarget("family", NEW))
    world.inbox.put([candidate(OLD, i, family="young", uri=f"y/{i}") for i in range(600, 640)])
    watched(world)
    number = world.store.samples.subject_states()[Subject("family", "young")].number
    rename(world, "young", NEW)
    states = world.store.samples.subject_states()
    assert states[Subject("family", NEW)].number == max(told, number)
    assert Subject("family", "young") not in states
    assert_whole(world)


def test_a_quarantined_contradiction_between_the_names_is_over(world: World) -> None:
    (one,) = known(OLD, 1)
    deliver(world, [replace(one, uri="x:1", family="stylegan")], "x")
    assert rows_of(world, one)[3:] == ("quarantined", "label_conflict")
    rename(world, OLD, "stylegan")
    assert rows_of(world, one)[1:] == ("stylegan", "world", "active", None)
    assert_whole(world)


# --- merge -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_statistics_equal_a_rebuild_whatever_was_corrected(seed: int, tmp_path: Path, begun: Path) -> None:
    """Random corrections, one after the other; a store that got the right names at once holds the same moments."""
    choice = random.Random(seed)
    from tests.integration.test_forgetting import copied

    world, fresh = copied(begun, tmp_path / "state"), World(tmp_path / "fresh")
    truth = {digest(c): c.family for c in beginning()}
    for serial in range(5):
        alive = sorted({family for family in truth.values() if family})
        act = choice.choice(["rename", "merge", "split", "relabel"])
        name = choice.choice(alive)
        members = sorted(sha256 for sha256, family in truth.items() if family == name)
        if act == "rename":
            rename(world, name, f"name_{serial}")
            truth.update(dict.fromkeys(members, f"name_{serial}"))
        elif act == "merge" and len(alive) > 1:
            into = choice.choice([other for other in alive if other != name])
            merge(world, name, into)
            truth.update(dict.fromkeys(members, into))
        elif act == "split":
            picked = set(choice.sample(members, k=max(1, len(members) // 3)))
            split(world, name, f"name_{serial}", samples=[c for c in beginning() if digest(c) in picked])
            truth.update(dict.fromkeys(picked, f"name_{serial}"))
        else:
            picked = set(choice.sample(members, k=5))
            into = choice.choice(alive)
            relabel(world, [c for c in beginning() if digest(c) in picked], Relabel("synthetic", into))
            truth.update(dict.fromkeys(picked, into))
        if choice.random() < 0.5:
            follow(world)
    follow(world)
    fresh.inbox.put(replace(c, family=truth[digest(c)]) for c in beginning())
    fresh.cycle()
    bring_up_to_date(fresh.context)  # with one family left it may not start a champion
    assert_same_statistics(world, fresh)
    assert_whole(world)


def test_two_families_become_one_and_later_deliveries_with_them(world: World) -> None:
    world.until_idle()
    made = merge(world, OLD, OTHER)
    assert made is not None and made.samples == 60 and made.learned == len(known(OLD, 60))
    assert made.subjects == tuple(Subject("family", name) for name in sorted((OLD, OTHER)))
    assert facts(world)[OTHER] == FamilyFacts(OTHER, (OLD,), 120, None, None)
    assert names(world) == sorted([OTHER, THIRD])
    assert {learned(world)[i] for i in ids_of(world, known(OLD, 60))} == {Subject("family", OLD)}
    follow(world)
    assert {learned(world)[i] for i in ids_of(world, known(OLD, 60))} == {Subject("family", OTHER)}
    assert (Subject("family", OLD), "raw") not in statistics(world)
    deliver(world, [candidate(OLD, 700)], "x")
    assert rows_of(world, candidate(OLD, 700))[1] == OTHER
    assert holds_forgotten(world.context, challenger_of(world, world.store.registry.versions()[-1].id)) == 0
    world.until_idle()
    assert_whole(world)


def test_the_open_episode_of_a_merged_family_goes_on_with_the_other_one(world: World) -> None:
    evading(world)
    before = episode(world)
    world.inbox.put(candidate(NEW, i, family="second", uri=f"s/{i}") for i in range(50, 52))
    watched(world)
    merge(world, NEW, "second")
    assert episode(world) == replace(before, family="second")
    watched(world)  # all votes are counted anew
    assert episode(world).opened_at == before.opened_at and episode(world).state == "alarmed"
    assert status_of(world, "second") in ("evading", "inverted")
    assert evidence(world, "second")[0] == 10
    assert_whole(world)


def test_an_episode_ends_when_the_votes_of_both_prove_nothing(world: World) -> None:
    evading(world)
    world.inbox.put(candidate(OLD, i) for i in range(700, 850))  # well detected
    watched(world)
    merge(world, NEW, OLD)
    watched(world)
    assert status_of(world, OLD) == "detected"
    found = episode(world)
    assert (found.family, found.state) == (OLD, "closed")
    assert found.note == "not proved any more since labels were corrected or pictures forgotten"
    assert_whole(world)


def test_what_a_merged_familys_test_cost_stays_spent_when_its_name_is_taken_again(world: World) -> None:
    world.inbox.put(candidate(name, 100 + i) for i in range(5) for name in (OLD, OTHER))
    world.until_idle()
    before = status(world).alarm_budget
    assert before is not None and before.new_tests > 0
    merge(world, OLD, OTHER)
    follow(world)
    rename(world, OTHER, OLD)
    assert status(world).alarm_budget == before
    rename(world, OLD, OTHER)
    assert status(world).alarm_budget == before
    world.until_idle()
    assert status(world).alarm_budget == before
    assert_whole(world)


def test_of_two_open_episodes_one_goes_on(world: World) -> None:
    evading(world)
    world.inbox.put(candidate(NEW, i, family="second", uri=f"s/{i}") for i in range(50, 58))
    assert watched(world).alarmed == ("second",)
    first, second = world.store.samples.episodes()
    merge(world, "second", NEW)
    assert world.store.samples.episodes() == [
        first,
        replace(second, state="closed", note=f"merged into {NEW}: the same model"),
    ]
    watched(world)
    assert world.store.samples.episodes(open_only=True) == [first]
    assert status_of(world, NEW) in ("evading", "inverted")
    assert evidence(world, NEW)[0] == 16
    assert_whole(world)


def test_a_contradiction_between_the_two_is_over(world: World) -> None:
    (one,) = known(OLD, 1)
    deliver(world, [replace(one, uri="x:1", family=OTHER)], "x")
    assert rows_of(world, one)[3:] == ("quarantined", "label_conflict")
    merge(world, OLD, OTHER)
    assert rows_of(world, one)[1:] == (OTHER, "world", "active", None)
    assert_whole(world)


def test_what_people_called_it_goes_along(world: World) -> None:
    (one,) = known(THIRD, 1)
    relabel(world, [one], Relabel("synthetic", OLD))
    merge(world, OLD, OTHER)
    rename(world, OTHER, "gans")
    assert rows_of(world, one)[1] == "gans"
    assert_whole(world)


# --- split -------------------------------------------------------------------------------------------------


def test_a_source_is_split_off_with_what_it_delivers_later(world: World) -> None:
    theirs = [replace(c, source="forum") for c in in_train(OLD, 12, start=500)]
    deliver(world, theirs[:10], "forum")
    world.until_idle()
    made = split(world, OLD, "forum_gan", FamilyPart(source="forum"))
    assert made is not None and made.samples == 10
    deliver(world, theirs[10:], "forum")
    deliver(world, [candidate(OLD, 800)], "x")
    assert {rows_of(world, one)[1] for one in theirs} == {"forum_gan"}
    assert rows_of(world, candidate(OLD, 800))[1] == OLD
    follow(world)
    assert {learned(world)[i] for i in ids_of(world, theirs[:10])} == {Subject("family", "forum_gan")}
    world.until_idle()
    assert "forum_gan" in names(world)
    assert_whole(world)


def test_a_part_that_was_merged_back_is_not_split_off_by_saying_so_again(world: World) -> None:
    world.inbox.put(replace(candidate(OLD, 100 + i), source="forum") for i in range(12))
    world.until_idle()
    assert split(world, OLD, "from_forum", FamilyPart(source="forum")) is not None
    assert split(world, OLD, "from_forum", FamilyPart(source="forum")) is None
    assert merge(world, "from_forum", OLD) is not None
    with pytest.raises(BadInputError, match=f"from_forum belong to {OLD}; choose another name"):
        split(world, OLD, "from_forum", FamilyPart(source="forum"))
    assert split(world, OLD, "of_forum", FamilyPart(source="forum")) is not None
    assert facts(world)["of_forum"].samples == 12


def test_by_time_what_came_later_is_split_off(world: World) -> None:
    world.until_idle()
    limit = world.clock.now()
    world.cycle()
    deliver(world, [candidate(OLD, i) for i in range(700, 706)], "x")
    made = split(world, OLD, "new_gan", FamilyPart(delivered_after=limit))
    assert made is not None and made.samples == 6
    assert facts(world)[OLD].samples == 60
    assert_whole(world)


def test_pictures_are_split_off_by_name_and_their_votes_counted_anew(world: World) -> None:
    evading(world, 12)
    picked = [candidate(NEW, i, family=NEW) for i in range(5)]
    made = split(world, NEW, "flux", samples=picked)
    assert made is not None and made.samples == 5
    watched(world)
    assert (evidence(world, NEW)[0], evidence(world, "flux")[0]) == (7, 5)
    assert {rows_of(world, one)[1] for one in picked} == {"flux"}
    assert split(world, NEW, "flux", samples=picked) is None
    assert_whole(world)


# --- retire ------------------------------------------------------------------------------------------------


def test_a_retired_family_is_not_measured_tested_or_gated_and_stays_learned(world: World) -> None:
    evading(world)
    assert retire(world, NEW) is not None and retire(world, NEW) is None
    found = episode(world)
    assert (found.state, found.note) == ("closed", "retired: obsolete")
    world.inbox.put(candidate(NEW, i) for i in range(100, 140))
    assert world.cycle().alarmed == ()
    assert names(world) == sorted(KNOWN)
    held = statistics(world)[Subject("family", OLD), "raw"].n
    retire(world, OLD)
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None
    measured = {row.subject.name for row in world.store.samples.latest_evaluations(champion.id)}
    assert measured == {OTHER, THIRD, *SOURCES}
    assert statistics(world)[Subject("family", OLD), "raw"].n == held
    assert {row.subject.name for row in world.store.samples.subjects() if row.retired} == {OLD, NEW}
    made = challenger(world)
    assert Subject("family", OLD) in made.known
    assert differing_figures(world.context) == []
    assert_whole(world)


def test_the_gate_does_not_ask_for_a_retired_family(world: World) -> None:
    world.until_idle()
    retire(world, OLD)
    world.inbox.put(candidate(OTHER, i) for i in range(700, 720))
    watched(world)
    challenge = update(world.context)
    assert challenge is not None
    judged = {check.subject for check in judge(world.context, challenge).checks if check.subject is not None}
    assert Subject("family", OTHER) in judged and Subject("family", OLD) not in judged


def test_back_from_retirement_its_votes_are_counted_from_the_stored_scores(world: World) -> None:
    evading(world)
    before = evidence(world, NEW)
    retire(world, NEW)
    watched(world)
    retire(world, NEW, undo=True)
    assert watched(world).alarmed == (NEW,)
    assert evidence(world, NEW) == pytest.approx(before, rel=1e-12)
    assert [one.state for one in world.store.samples.episodes()] == ["closed", "alarmed"]
    assert_whole(world)


def test_nobody_is_told_that_a_retired_family_is_silent(world: World) -> None:
    world.until_idle()
    stale = world.settings.alarms.family_stale_after
    assert stale is not None
    retire(world, OLD)
    last = max(row.last_sample_at for row in world.store.samples.subjects())
    while world.clock.now() < last + 2 * stale:
        world.clock.after_cycle()
    watched(world)
    silent = {one.about for one in world.store.samples.alarms() if one.kind == "stale"}
    assert OTHER in silent and OLD not in silent


# --- anchors -----------------------------------------------------------------------------------------------


def test_nothing_is_learned_from_an_anchor_and_it_can_be_taken_back(world: World) -> None:
    world.until_idle()
    ids = ids_of(world, known(OLD, 60))
    before = {key: statistics(world)[key].moments(None) for key in statistics(world)}
    made = anchor(world, OLD)
    assert made is not None and made.learned == len(ids) and anchor(world, OLD) is None
    follow(world)
    assert learned(world).keys().isdisjoint(ids)
    assert (Subject("family", OLD), "raw") not in statistics(world)
    report = world.cycle()
    assert report.version is not None  # a challenger without it
    made_of = challenger_of(world, report.version)
    assert Subject("family", OLD) not in made_of.known
    assert OLD in names(world)  # still measured
    assert_whole(world)
    anchor(world, OLD, undo=True)
    follow(world)
    after = statistics(world)
    for key, moments in before.items():
        assert after[key].n == moments.count
        assert abs(after[key].moments(None).second - moments.second).max() <= 1e-9 * abs(moments.second).max()
    assert_whole(world)


def test_the_gate_judges_an_anchor_once_the_champion_is_one_that_never_learned_it(world: World) -> None:
    def judged() -> set[Subject | None]:
        world.inbox.put(
            candidate(OTHER, i) for i in range(700 + 20 * len(world.inbox.batches), 720 + 20 * len(world.inbox.batches))
        )
        watched(world)
        challenge = update(world.context)
        assert challenge is not None
        return {check.subject for check in judge(world.context, challenge).checks}

    world.until_idle()
    anchor(world, OLD)
    assert Subject("family", OLD) not in judged()
    report = world.cycle()
    without = report.version or world.store.registry.versions()[-1].id
    promote_by_hand(world.context, without, "tester", "without the anchor")
    assert Subject("family", OLD) in judged()


def challenger_of(world: World, version: str):  # type: ignore[no-untyped-def]
    from daemon.champion import load_version

    return load_version(world.store.registry, world.store.registry.version(version))


def test_an_anchor_that_evades_is_told_and_never_learned(world: World) -> None:
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(2))
    watched(world)
    anchor(world, NEW)
    world.inbox.put(candidate(NEW, i) for i in range(2, 40))
    report = world.cycle()
    assert report.alarmed == (NEW,) and report.version is None
    world.until_idle()
    assert Subject("family", NEW) not in {row.subject for row in world.store.samples.learned_rows(FINGERPRINT)}
    assert episode(world).state == "alarmed"
    assert_whole(world)


def test_what_is_an_anchor_stays_one_in_a_split_and_does_not_become_none_in_a_merger(world: World) -> None:
    anchor(world, OLD)
    split(world, OLD, "part", samples=known(OLD, 3))
    assert facts(world)["part"].anchored_at is not None
    with pytest.raises(BadInputError, match=f"{OLD} is an anchor and the other one is not"):
        merge(world, OLD, OTHER)
    assert merge(world, "part", OLD) is not None
    assert_whole(world)


# --- all of them -------------------------------------------------------------------------------------------


def test_each_is_audited_once_and_saying_it_again_changes_nothing(world: World) -> None:
    samples = known(OLD, 3)
    assert rename(world, OTHER, "second") is not None and rename(world, OTHER, "second") is None
    assert split(world, OLD, "part", samples=samples) is not None and split(world, OLD, "part", samples=samples) is None
    assert merge(world, OLD, THIRD) is not None and merge(world, OLD, THIRD) is None
    assert anchor(world, "part") is not None and anchor(world, "part") is None
    rows = world.store.registry.audit()[-4:]
    assert [(row.action, row.actor) for row in rows] == [
        ("rename", "tester"),
        ("split", "tester"),
        ("merge", "tester"),
        ("anchor", "tester"),
    ]
    assert rows[0].payload == {"family": OTHER, "new": "second"}
    assert rows[1].payload == {"family": OLD, "new": "part", "samples": sorted(map(digest, samples))}
    assert rows[2].payload == {"family": OLD, "into": THIRD}
    assert len(world.store.samples.pending_corrections()) == 4
    follow(world)
    assert world.store.samples.pending_corrections() == []
    assert_whole(world)


def test_what_cannot_be_is_refused_and_leaves_nothing_behind(world: World) -> None:
    rename(world, THIRD, "third")
    before = world.store.registry.audit()
    for act, message in (
        (lambda: rename(world, "nobody", "somebody"), "there is no family 'nobody'"),
        (lambda: rename(world, OLD, OTHER), f"there is a family {OTHER} already; `sidwatch families merge`"),
        (lambda: rename(world, OLD, THIRD), f"deliveries that say {THIRD} belong to third"),
        (lambda: rename(world, OLD, OLD), f"there is a family {OLD} already"),
        (lambda: rename(world, THIRD, "fourth"), f"{THIRD} is called third by now"),
        (lambda: merge(world, OLD, "nobody"), "there is no family 'nobody'"),
        (lambda: merge(world, OLD, OLD), "cannot be merged into itself"),
        (lambda: split(world, OLD, OTHER, FamilyPart(source="world")), "there is a family"),
        (lambda: split(world, OLD, "part", FamilyPart(source="nowhere")), f"no sample of {OLD} meets that"),
        (lambda: split(world, OLD, "part", samples=known(OTHER, 1)), f"is not of {OLD}"),
        (lambda: split(world, OLD, "part", FamilyPart(source="world")), f"every sample of {OLD} meets that"),
        (lambda: retire(world, "nobody"), "there is no family 'nobody'"),
        (lambda: anchor(world, SOURCES[0]), f"there is no family '{SOURCES[0]}'"),
    ):
        with pytest.raises(BadInputError, match=message):
            act()
    assert world.store.registry.audit() == before
    assert {*facts(world)} == {OLD, OTHER, "third"}
    assert_whole(world)


def test_a_name_waits_while_statistics_still_hold_an_earlier_family_of_it(world: World) -> None:
    merge(world, OLD, OTHER)
    with pytest.raises(TemporaryError, match="after the next cycle"):
        rename(world, OTHER, OLD)
    follow(world)
    assert rename(world, OTHER, OLD) is not None
    assert facts(world)[OLD].samples == 120 and facts(world)[OLD].aliases == (OTHER,)
    assert_whole(world)


# --- after a rollback --------------------------------------------------------------------------------------


def learned_newcomers(world: World) -> None:
    """Two families that evaded the first champion and that the second has learned."""
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(40))
    world.inbox.put(candidate(NEW, i, family="second", uri=f"s/{i}") for i in range(100, 140))
    world.until_idle()
    assert {one.state for one in world.store.samples.episodes()} <= {"learned", "recovered"}
    assert {one.family for one in world.store.samples.episodes()} == {NEW, "second"}


def test_a_retired_family_is_not_taken_up_again_by_a_rollback(world: World) -> None:
    learned_newcomers(world)
    retire(world, NEW)
    roll_back(world.context, "tester", "a test")
    watched(world)
    states = {one.family: one.state for one in world.store.samples.episodes()}
    assert states["second"] == "alarmed" and states[NEW] != "alarmed"
    assert_whole(world)


def test_a_merged_family_is_taken_up_once_by_a_rollback(world: World) -> None:
    learned_newcomers(world)
    merge(world, "second", NEW)
    roll_back(world.context, "tester", "a test")
    watched(world)
    assert [one.family for one in world.store.samples.episodes() if one.state == "alarmed"] == [NEW]
    assert evidence(world, NEW)[0] == 80  # of the version that came back, counted anew
    assert_whole(world)


def test_scores_name_a_family_as_it_is_called_by_now(world: World) -> None:
    world.until_idle()
    rename(world, OLD, "first")
    merge(world, OTHER, "first")
    loaded = world.context.champion.get()
    assert loaded is not None
    assert {loaded.present(name) for name in KNOWN} == {"first", THIRD}
    assert {subject.name for subject in loaded.known if subject.kind == "family"} == {"first", THIRD}
