"""Pictures of known sources that lie implausibly far from their own group are not learned; that is decided anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.champion import load_version
from daemon.corrections.model import Relabel
from daemon.encoders.embedding import embed
from daemon.evaluate.scoring import score
from daemon.learn.bookkeeping import bring_up_to_date, finish_corrections, finish_forgetting
from daemon.learn.learning import update
from daemon.model import Admission, Candidate, ForgetTarget, Inspected, Subject, Trust
from daemon.settings import EncoderSettings, LearnSettings, Settings
from store import tables as t
from tests.integration import world as worlds
from tests.integration.test_forgetting import assert_same_statistics, digest, forget, ids_of, in_train, learned
from tests.integration.test_story import Killed, assert_whole
from tests.integration.world import ADAPTER, FINGERPRINT, KNOWN, NEW, SOURCES, World, beginning

STRANGER = ForgetTarget("source", "stranger")
JUNK = "junk"  # pictures that look like nothing else


@pytest.fixture(autouse=True, scope="module")
def _far_out() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(worlds.CENTRES, JUNK, (3, 30.0))
        yield


def by_hand(**learn: object) -> Settings:
    """Nothing is learned unless a test asks for it."""
    return Settings(
        adapters=(ADAPTER,),
        encoder=EncoderSettings(name="forensic"),
        learn=LearnSettings(automatic=False, **learn),  # type: ignore[arg-type]
    )


def begun(root: Path, **learn: object) -> World:
    """A world with its first champion that then learns by hand."""
    world = World.settled(root)
    world.store.close()
    return World(root, clock=world.clock, settings=by_hand(**learn))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return begun(tmp_path / "state")


def take_in(world: World, candidates: Sequence[Candidate], source: str, trust: Trust) -> list[Candidate]:
    """A batch of a source, embedded and scored."""
    mine = [replace(one, source=source) for one in candidates]
    admissions = [Admission(c, digest(c), 10, Inspected(64, 64, "PNG", "0" * 16)) for c in mine]
    world.store.samples.admit(source, trust, admissions, None, world.clock.now())
    embed(world.context)
    score(world.context)
    world.clock.after_cycle()
    return mine


def claimed(name: str, of: str, count: int, start: int) -> list[Candidate]:
    """Pictures of one kind that are said to be of another."""
    return [replace(one, family=name, label="synthetic") for one in in_train(of, count, start)]


def odd(count: int = 3, start: int = 700) -> list[Candidate]:
    return claimed(NEW, JUNK, count, start)


def clipped(world: World) -> set[int]:
    return {row.sample_id for row in world.store.samples.clipped(FINGERPRINT)}


def test_they_are_left_out_and_told_with_their_reason(world: World) -> None:
    mine = take_in(world, in_train(NEW, 20) + odd(), "stranger", "known")
    take_in(world, in_train(NEW, 9, start=300), "museum", "trusted")
    challenge = update(world.context)
    assert challenge is not None
    assert clipped(world) == set(ids_of(world, mine[-3:]))
    assert set(ids_of(world, mine[:-3])) <= learned(world).keys()
    assert clipped(world).isdisjoint(learned(world))
    told = load_version(world.store.registry, challenge.version.record).artifact.about["exclusions"]
    assert [(row["name"], row["source"], row["profile"], row["samples"], row["reason"]) for row in told] == [
        (NEW, "stranger", "raw", 3, "clip"),
        (NEW, "stranger", "laundered", 3, "clip"),
    ]
    champion = world.context.champion.get()
    assert champion is not None
    assert {row.version for row in world.store.samples.clipped(FINGERPRINT)} == {champion.record.id}
    assert min(row.spreads for row in world.store.samples.clipped(FINGERPRINT)) > 8
    (shown,) = world.store.samples.sample_facts(digest(mine[-1])).clipped
    assert (shown.fingerprint, shown.subject, shown.version) == (
        FINGERPRINT,
        Subject("family", NEW),
        champion.record.id,
    )
    scored = world.store.samples.labelled_samples(FINGERPRINT).sample_ids.tolist()
    assert clipped(world) <= set(scored), "they are measured as before"
    assert not world.store.samples.unscored(FINGERPRINT, 100)
    assert_whole(world)


def test_trusted_sources_are_believed(world: World) -> None:
    mine = take_in(world, in_train(NEW, 20) + odd(), "museum", "trusted")
    bring_up_to_date(world.context)
    assert set(ids_of(world, mine)) <= learned(world).keys()
    assert not clipped(world)


def test_a_whole_family_that_lies_far_away_is_learned(world: World) -> None:
    mine = take_in(world, in_train(NEW, 30), "stranger", "known")
    bring_up_to_date(world.context)
    assert set(ids_of(world, mine)) <= learned(world).keys()


def test_photographs_of_a_known_source_are_judged_beside_its_others(world: World) -> None:
    honest = [replace(one, source="lens") for one in in_train(SOURCES[0], 20, start=400)]
    fakes = [replace(one, label="real", family=None) for one in in_train(JUNK, 4, start=400)]
    take_in(world, honest + fakes, "lens", "known")
    bring_up_to_date(world.context)
    assert clipped(world) == set(ids_of(world, fakes))


def test_null_learns_however_far_they_lie_and_the_next_setting_is_followed(tmp_path: Path) -> None:
    world = begun(tmp_path / "state", clip_spreads=None)
    mine = take_in(world, in_train(NEW, 20) + odd(), "stranger", "known")
    bring_up_to_date(world.context)
    assert set(ids_of(world, mine)) <= learned(world).keys()
    world.store.close()
    for spreads, count in ((8.0, 3), (None, 0)):
        world = World(tmp_path / "state", clock=world.clock, settings=by_hand(clip_spreads=spreads))
        bring_up_to_date(world.context)
        assert len(clipped(world)) == count
        assert clipped(world).isdisjoint(learned(world))
        assert set(ids_of(world, mine)) <= learned(world).keys() | clipped(world)
        assert_whole(world)
        world.store.close()


def test_before_the_first_champion_nothing_is_clipped_and_with_it_all_of_it_is_judged(tmp_path: Path) -> None:
    world = World(tmp_path / "state", settings=by_hand())
    world.inbox.put(beginning())
    world.cycle()
    mine = take_in(world, claimed(KNOWN[1], JUNK, 3, 800), "stranger", "known")
    bring_up_to_date(world.context)
    assert set(ids_of(world, mine)) <= learned(world).keys()
    challenge = update(world.context)
    assert challenge is not None
    world.store.registry.promote(
        challenge.version.record.id, expected=None, actor="test", reason="", verdict=None, at=world.clock.now()
    )
    bring_up_to_date(world.context)
    assert clipped(world) == set(ids_of(world, mine)) and clipped(world).isdisjoint(learned(world))
    assert_whole(world)


def test_what_is_all_implausible_makes_no_new_version(world: World) -> None:
    take_in(world, in_train(NEW, 20), "museum", "trusted")
    first = update(world.context)
    assert first is not None
    world.store.registry.record_verdict(
        first.version.record.id, "held", {"decision": "hold"}, "test", "", world.clock.now()
    )
    mine = take_in(world, odd(), "stranger", "known")
    assert update(world.context) is None, "the same statistics give the same manifest"
    assert clipped(world) == set(ids_of(world, mine))
    take_in(world, in_train(NEW, 1, start=800), "museum", "trusted")
    second = update(world.context)
    assert second is not None
    assert [row["samples"] for row in second.version.artifact.about["exclusions"]] == [3, 3]


def test_who_comes_to_be_merely_known_is_judged_and_who_is_no_longer_is_not(world: World) -> None:
    mine = take_in(world, in_train(NEW, 20) + odd(), "museum", "trusted")
    bring_up_to_date(world.context)
    late = take_in(world, in_train(NEW, 1, start=900), "museum", "known")
    bring_up_to_date(world.context)
    assert clipped(world) == set(ids_of(world, mine[-3:])) and clipped(world).isdisjoint(learned(world))
    forget(world, ForgetTarget("sample", digest(late[0])))
    bring_up_to_date(world.context)
    assert not clipped(world) and set(ids_of(world, mine)) <= learned(world).keys()
    assert_whole(world)


def test_a_forgotten_picture_leaves_no_decision_and_a_renamed_family_keeps_its_own(world: World) -> None:
    mine = take_in(world, in_train(NEW, 20) + odd(), "stranger", "known")
    bring_up_to_date(world.context)
    world.store.samples.rename_family(NEW, "flux", "its name", "tester", world.clock.now())
    finish_corrections(world.context)
    assert {row.subject for row in world.store.samples.clipped(FINGERPRINT)} == {Subject("family", "flux")}
    revision = world.store.samples.statistics_revision(FINGERPRINT)
    bring_up_to_date(world.context)
    assert world.store.samples.statistics_revision(FINGERPRINT) == revision, "a name is no reason to judge again"
    forget(world, ForgetTarget("sample", digest(mine[-1])))
    assert len(clipped(world)) == 2
    forget(world, STRANGER)
    bring_up_to_date(world.context)
    assert not clipped(world) and not world.store.samples.clips_judged(FINGERPRINT)
    assert_whole(world)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_around_the_commit_it_decides_the_same(
    after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, whole = begun(tmp_path / "killed"), begun(tmp_path / "whole")
    for one in (world, whole):
        take_in(one, in_train(NEW, 20) + odd(), "stranger", "known")
    bring_up_to_date(whole.context)
    kind = type(world.store.samples)
    commit = kind.commit_statistics

    def killed(*arguments: object, **values: object) -> None:
        if after:
            commit(*arguments, **values)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(kind, "commit_statistics", killed)
        with pytest.raises(Killed):
            bring_up_to_date(world.context)
    world.store.close()
    world.open()
    bring_up_to_date(world.context)
    assert_same_statistics(world, whole)
    assert world.store.samples.clipped(FINGERPRINT) == whole.store.samples.clipped(FINGERPRINT)
    assert_whole(world)


def test_verify_finds_what_is_both_learned_and_left_out(world: World) -> None:
    take_in(world, in_train(NEW, 20) + odd(), "stranger", "known")
    bring_up_to_date(world.context)
    row = world.store.samples.clipped(FINGERPRINT)[0]
    with world.store.database.write() as connection:
        connection.execute(
            t.clipped.insert().values(
                sample_id=min(learned(world)),
                fingerprint=FINGERPRINT,
                subject_kind="family",
                subject_name=NEW,
                version=row.version,
                spreads=9.0,
                revision=1,
            )
        )
    with pytest.raises(AssertionError, match="left out as implausible"):
        assert_whole(world)


# The packets that may be delivered: (source, trust, pictures).
PACKETS: tuple[tuple[str, Trust, list[Candidate]], ...] = (
    ("stranger", "known", in_train(NEW, 14, 0) + odd(2, 100)),
    ("stranger", "known", claimed(NEW, SOURCES[1], 5, 200)),
    ("other", "known", in_train(NEW, 12, 300) + claimed(NEW, KNOWN[1], 3, 300)),
    ("museum", "trusted", in_train(NEW, 8, 400) + odd(1, 400)),
    ("other", "known", claimed(KNOWN[0], KNOWN[2], 4, 500) + in_train(KNOWN[0], 4, 500)),
    ("lens", "known", [replace(one, source="lens") for one in in_train(SOURCES[0], 12, 600)]),
    ("lens", "known", [replace(one, label="real", family=None) for one in in_train(JUNK, 3, 600)]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(0, len(PACKETS) - 1)),
        st.tuples(st.just("forget"), st.sampled_from(["stranger", "other", "museum", "lens"])),
        st.tuples(st.just("relabel"), st.integers(0, len(PACKETS) - 1)),
        st.tuples(st.just("learn"), st.none()),
    ),
    min_size=3,
    max_size=8,
)


@dataclass
class Deliveries:
    """What was delivered and is not forgotten, in order, and what people said of it."""

    packets: list[int] = field(default_factory=list)
    relabelled: list[int] = field(default_factory=list)

    def carry_out(self, world: World, step: str, about: object) -> None:
        if step == "deliver" and about not in self.packets:
            assert isinstance(about, int)
            source, trust, candidates = PACKETS[about]
            take_in(world, candidates, source, trust)
            self.packets.append(about)
        elif step == "forget" and any(PACKETS[packet][0] == about for packet in self.packets):
            forget(world, ForgetTarget("source", str(about)))
            self.packets = [packet for packet in self.packets if PACKETS[packet][0] != about]
            self.relabelled = [packet for packet in self.relabelled if packet in self.packets]
        elif step == "relabel" and about in self.packets and about not in self.relabelled:
            assert isinstance(about, int)
            self.relabel(world, about)
            self.relabelled.append(about)
        elif step == "learn":
            bring_up_to_date(world.context)

    @staticmethod
    def relabel(world: World, packet: int) -> None:
        """The last two of a packet, which are the odd ones where there are any, are of the first known family."""
        digests = [digest(one) for one in PACKETS[packet][2][-2:]]
        said = Relabel("synthetic", KNOWN[0])
        world.store.samples.relabel(digests, said, "seen by hand", "tester", world.clock.now())
        finish_corrections(world.context)


@settings(max_examples=8, deadline=None)
@given(STEPS)
def test_in_whatever_order_it_equals_a_rebuild_from_what_remains(steps: list[tuple[str, object]]) -> None:
    with TemporaryDirectory() as folder:
        world, fresh = begun(Path(folder) / "world"), begun(Path(folder) / "fresh")
        there = Deliveries()
        for step, about in steps:
            there.carry_out(world, step, about)
        finish_forgetting(world.context)
        bring_up_to_date(world.context)
        for packet in there.packets:
            source, trust, candidates = PACKETS[packet]
            take_in(fresh, candidates, source, trust)
        for packet in there.relabelled:
            Deliveries.relabel(fresh, packet)
        bring_up_to_date(fresh.context)
        assert_same_statistics(world, fresh)
        assert told(world) == told(fresh)
        assert_whole(world)
        for one in (world, fresh):
            one.store.close()


def told(world: World) -> dict[str, tuple[Subject, float]]:
    """What is left out, by the picture's digest."""
    s = t.sample.c
    with world.store.database.read() as connection:
        names = dict(connection.execute(t.sample.select().with_only_columns(s.id, s.sha256)).all())  # type: ignore[arg-type]
    rows = world.store.samples.clipped(FINGERPRINT)
    return {names[row.sample_id]: (row.subject, round(row.spreads, 9)) for row in rows}
