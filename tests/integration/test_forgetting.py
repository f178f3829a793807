"""Forgetting on the real store: the head that is solved afterwards never had what was forgotten."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

import store.forgetting
from daemon.champion import LoadedVersion, load_version
from daemon.clock import AcceleratedClock
from daemon.heads import GroupStatistics, forms
from daemon.learn.bookkeeping import bring_up_to_date, finish_forgetting
from daemon.learn.learning import holds_forgotten, update
from daemon.model import PROFILES, Admission, Candidate, ForgetTarget, Inspected, Subject, Trust
from daemon.supervisor import run_update
from store import tables as t
from store.database import Database
from store.splits import DEFAULT_SHARES, split_of
from tests.integration import world as worlds
from tests.integration.test_story import Killed, assert_whole
from tests.integration.world import FINGERPRINT, KNOWN, NEW, SOURCES, START, Inbox, World, beginning, candidate

CAMERA = ForgetTarget("source", "camera_c")
OTHER = ForgetTarget("source", "other")


def digest(one: Candidate) -> str:
    assert one.content is not None
    return hashlib.sha256(one.content).hexdigest()


def deliver(world: World, candidates: Iterable[Candidate], adapter: str, trust: Trust = "trusted") -> None:
    """A batch of another adapter, embedded and scored by the next cycle."""
    admissions = [Admission(c, digest(c), 10, Inspected(64, 64, "PNG", "0" * 16)) for c in candidates]
    world.store.samples.admit(adapter, trust, admissions, None, world.clock.now())
    world.cycle()


def forget(world: World, target: ForgetTarget) -> None:
    world.store.samples.forget(target, "a test", "tester", world.clock.now())
    finish_forgetting(world.context)


def in_train(name: str, count: int, start: int = 0) -> list[Candidate]:
    every = (candidate(name, i) for i in range(start, start + 1000))
    return [c for c in every if split_of(str(c.group), DEFAULT_SHARES) == "train"][:count]


def ids_of(world: World, candidates: Iterable[Candidate]) -> list[int]:
    s = t.sample.c
    with world.store.database.read() as connection:
        found = dict(connection.execute(select(s.sha256, s.id)).all())  # type: ignore[arg-type]
    return [found[digest(c)] for c in candidates]


def learned(world: World) -> dict[int, Subject]:
    return {row.sample_id: row.subject for row in world.store.samples.learned_rows(FINGERPRINT)}


def statistics(world: World) -> dict[Any, GroupStatistics]:
    files = world.store.samples.statistics(FINGERPRINT)
    return {key: forms.together(forms.from_bytes(content)) for key, content in files.items()}


def challenger(world: World) -> LoadedVersion:
    challenge = update(world.context)
    assert challenge is not None
    return challenge.version


def assert_same_statistics(one: World, other: World) -> None:
    mine, theirs = statistics(one), statistics(other)
    assert mine.keys() == theirs.keys()
    for key in mine:
        for fold in (None, 0, 3):
            left, right = mine[key].moments(fold), theirs[key].moments(fold)
            assert left.count == right.count
            assert np.abs(left.second - right.second).max() <= 1e-9 * np.abs(right.second).max()
            assert np.abs(left.total - right.total).max() <= 1e-9 * np.abs(right.total).max()


def assert_same_scores(world: World, mine: LoadedVersion, theirs: LoadedVersion) -> None:
    for profile in PROFILES:
        rows = world.store.samples.labelled_vectors(FINGERPRINT, profile)
        pairs = [(mine.artifact.head, theirs.artifact.head)]
        pairs += list(zip(mine.artifact.fold_heads, theirs.artifact.fold_heads, strict=True))
        for one, other in pairs:
            expected = other.scores(rows.vectors)
            assert np.abs(one.scores(rows.vectors) - expected).max() <= 1e-9 * np.abs(expected).max()
        assert mine.threshold(profile) == pytest.approx(theirs.threshold(profile), rel=1e-9)


def others(first: str = KNOWN[0]) -> list[Candidate]:
    """Pictures of a known family and of a camera that another adapter brings, all on the train side."""
    theirs = in_train(first, 12, start=500) + in_train(SOURCES[0], 9, start=500)
    return [replace(c, source=SOURCES[0] if c.label == "real" else "other") for c in theirs]


def family_gone() -> list[Candidate]:
    return [c for c in beginning() if c.family != KNOWN[1]]


def copied(source: Path, root: Path) -> World:
    """The state directory of a stopped service, some days later."""
    shutil.copytree(source, root)
    taken = Inbox([[]])  # the first batch is in the store already
    return World(root, taken, clock=AcceleratedClock(START + timedelta(days=10), timedelta(days=1)))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with a first champion."""
    world = World(tmp_path_factory.mktemp("begun") / "state")
    world.inbox.put(beginning())
    world.cycle()
    world.store.close()
    return world.root


@pytest.fixture
def world(begun: Path, tmp_path: Path) -> World:
    return copied(begun, tmp_path / "state")


CASES: dict[str, tuple[ForgetTarget, Callable[[], list[Candidate]], bool]] = {
    "a whole source": (CAMERA, lambda: [c for c in beginning() if c.source != CAMERA.name], False),
    "an adapter's part of two groups": (OTHER, beginning, True),
    "a family": (ForgetTarget("family", KNOWN[1]), family_gone, False),
}


@pytest.mark.parametrize("dimension", [16, 160], ids=["packed", "rows kept"])
@pytest.mark.parametrize("case", CASES)
def test_the_head_after_forgetting_is_the_one_rebuilt_from_the_remaining_deliveries(
    case: str, dimension: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds, "DIMENSION", dimension)
    target, remaining, with_others = CASES[case]
    world, fresh = World(tmp_path / "world"), World(tmp_path / "fresh")
    world.inbox.put(beginning())
    world.cycle()
    if with_others:
        deliver(world, others(), "other")
        bring_up_to_date(world.context)
        assert set(ids_of(world, others())) <= learned(world).keys()
    assert {group.is_packed for group in statistics(world).values()} == {dimension == 16}
    before = world.store.samples.statistics(FINGERPRINT)
    forget(world, target)
    assert world.store.samples.statistics(FINGERPRINT) != before
    fresh.inbox.put(remaining())
    fresh.cycle()
    assert_same_statistics(world, fresh)
    theirs = fresh.context.champion.get()
    assert theirs is not None
    assert_same_scores(fresh, challenger(world), theirs)
    assert_whole(world)


def test_single_samples_are_subtracted_one_after_the_other(world: World, tmp_path: Path) -> None:
    fresh = World(tmp_path / "fresh")
    family = [c for c in in_train(KNOWN[0], 60) if c in beginning()]
    gone = family[:-6] + in_train(SOURCES[1], 3)  # the family falls under d / 2: its rows come back
    for one in gone:
        forget(world, ForgetTarget("sample", digest(one)))
    assert not statistics(world)[Subject("family", KNOWN[0]), "raw"].is_packed
    fresh.inbox.put([c for c in beginning() if c not in gone])
    fresh.cycle()
    assert_same_statistics(world, fresh)
    assert_whole(world)


def everything(world: World) -> dict[str, Any]:
    samples = world.store.samples
    files = sorted(str(p.relative_to(world.root)) for p in world.root.rglob("*") if p.is_file())
    return {
        "statistics": samples.statistics(FINGERPRINT),
        "revision": samples.statistics_revision(FINGERPRINT),
        "counts": samples.sample_counts(),
        "subjects": samples.subjects(),
        "audit": world.store.registry.audit(),
        "forgets": samples.forgets(),
        "adapters": samples.adapters(),
        "files": [f for f in files if "sidwatch.db" not in f],
    }


def test_forgetting_twice_changes_nothing(world: World) -> None:
    forget(world, CAMERA)
    before = everything(world)
    assert world.store.samples.forget(CAMERA, "again", "tester", world.clock.now()) is None
    assert finish_forgetting(world.context) == 0
    assert everything(world) == before
    (row,) = [row for row in world.store.registry.audit() if row.action == "forget"]
    assert (row.actor, row.reason) == ("tester", "a test")
    assert row.payload["kind"] == "source" and row.payload["gone"] == 60


def test_no_byte_of_a_forgotten_picture_stays(tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    mine = [replace(c, caption=f"a caption of {c.uri}.") for c in beginning(per_subject=30)]
    world.inbox.put(mine)
    world.cycle()
    gone = [c for c in mine if c.source == CAMERA.name]
    traces = [c.caption.encode() for c in gone if c.caption]
    for profile in PROFILES:
        traces += [row.tobytes() for row in world.store.samples.vectors_of(FINGERPRINT, profile, ids_of(world, gone))]
    assert found_in_files(world, traces) == set(traces)
    forget(world, CAMERA)
    assert not any(world.store.layout.blob(digest(c)).exists() for c in gone)
    assert found_in_files(world, traces) == set()
    assert_whole(world)


def found_in_files(world: World, traces: list[bytes]) -> set[bytes]:
    contents = [path.read_bytes() for path in world.root.rglob("*") if path.is_file()]
    return {trace for trace in traces if any(trace in content for content in contents)}


@pytest.mark.parametrize("learned_too", [True, False])
def test_what_is_forgotten_while_another_forgetting_is_finished_is_not_closed_with_it(
    learned_too: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command beside a running service commits at any moment, here between the vectors and the last rows."""
    world.until_idle()
    first = in_train(SOURCES[0], 1)[0]
    side = {c.uri for c in in_train(SOURCES[1], 60)}
    second = next(c for c in beginning() if c.source == SOURCES[1] and (c.uri in side) == learned_too)
    assert (ids_of(world, [second])[0] in learned(world)) == learned_too
    rewrite = store.forgetting.Forgetting._rewrite_shards

    def then_asked_again(self: store.forgetting.Forgetting) -> None:
        rewrite(self)
        monkeypatch.setattr(store.forgetting.Forgetting, "_rewrite_shards", rewrite)
        self.forget(ForgetTarget("sample", digest(second)), "a test", "tester", world.clock.now())

    monkeypatch.setattr(store.forgetting.Forgetting, "_rewrite_shards", then_asked_again)
    forget(world, ForgetTarget("sample", digest(first)))
    assert world.store.samples.forgets()[1].state == "taken_out"
    assert world.cycle().forgotten == 2
    assert [record.state for record in world.store.samples.forgets()] == ["done", "done"]
    gone = ids_of(world, [first, second])
    with world.store.database.read() as connection:
        for table in (t.vector, t.learned, t.score):
            assert connection.execute(select(table).where(table.c.sample_id.in_(gone))).first() is None, table.name
    assert_whole(world)


def test_the_service_goes_on_with_what_is_left(world: World) -> None:
    """The cycle finishes the forgetting, measures anew and puts a challenger without it to the gate."""
    world.until_idle()
    champion = world.context.champion.get()
    assert champion is not None
    world.store.samples.forget(ForgetTarget("family", KNOWN[1]), "a test", "tester", world.clock.now())
    assert Subject("family", KNOWN[1]) not in {row.subject for row in world.store.samples.subjects()}
    assert holds_forgotten(world.context, champion) == 0  # the statistics hold it until the cycle
    report = world.cycle()
    assert report.forgotten == 60 and report.version is not None and report.decision == "promote"
    assert holds_forgotten(world.context, champion) > 0
    without = load_version(world.store.registry, world.store.registry.version(report.version))
    assert holds_forgotten(world.context, without) == 0
    assert KNOWN[1] not in {key.subject.name for key in without.artifact.head.keys}
    world.until_idle()
    found = world.context.champion.get()
    assert found is not None and found.record.id == report.version  # no second challenger of the same
    assert_whole(world)


def test_what_was_taken_out_without_anybody_forgetting_it_is_no_reason_to_ask_less(world: World) -> None:
    """Whoever delivers contradicting labels could else have worse and worse heads promoted."""
    world.until_idle()
    champion = world.context.champion.get()
    assert champion is not None
    contradicted = [replace(c, label="synthetic", family=KNOWN[1], source="other") for c in in_train(SOURCES[0], 5)]
    deliver(world, contradicted, "other", "untrusted")
    assert run_update(world.context).decision == "hold"
    assert holds_forgotten(world.context, champion) == 5
    assert world.store.samples.forgotten_in(FINGERPRINT, champion.record.statistics_revision) == 0
    (version,) = [v for v in world.store.registry.versions() if v.id != champion.record.id]
    assert version.state == "held" and version.verdict is not None
    assert "not proved better" in str(version.verdict["reason"])


def test_what_is_on_its_way_out_counts_as_held_by_the_version_that_learned_it(world: World) -> None:
    champion = world.context.champion.get()
    assert champion is not None
    gone = in_train(SOURCES[0], 1)[0]
    assert world.store.samples.forgotten_in(FINGERPRINT, champion.record.statistics_revision) == 0
    world.store.samples.forget(ForgetTarget("sample", digest(gone)), "a test", "tester", world.clock.now())
    assert world.store.samples.forgotten_in(FINGERPRINT, champion.record.statistics_revision) == 1
    finish_forgetting(world.context)
    assert world.store.samples.forgotten_in(FINGERPRINT, champion.record.statistics_revision) == 1
    assert world.store.samples.forgotten_in(FINGERPRINT, 0) == 0


def test_an_episode_of_a_family_that_is_gone_is_closed(world: World) -> None:
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(6))
    world.until_idle()
    assert [(e.family, e.state) for e in world.store.samples.episodes()] == [(NEW, "alarmed")]
    forget(world, ForgetTarget("family", NEW))
    (episode,) = world.store.samples.episodes()
    assert (episode.state, episode.note) == ("closed", "forgotten: a test")
    world.until_idle()
    assert_whole(world)


# --- decided anew -----------------------------------------------------------------------------------------


def twice(world: World, first: Trust, second: Trust) -> list[Candidate]:
    """Pictures of a known family that two adapters bring, each under a source of its own name."""
    theirs = in_train(KNOWN[0], 10, start=500)
    for adapter, trust in (("one", first), ("two", second)):
        deliver(world, [replace(c, uri=f"{adapter}:{c.uri}") for c in theirs], adapter, trust)
    return theirs


def test_what_only_an_untrusted_source_still_delivers_is_subtracted(world: World) -> None:
    before = statistics(world)[Subject("family", KNOWN[0]), "raw"].moments()
    both = twice(world, "trusted", "untrusted")
    bring_up_to_date(world.context)
    assert set(ids_of(world, both)) <= learned(world).keys()
    forget(world, ForgetTarget("source", "one"))
    assert learned(world).keys().isdisjoint(ids_of(world, both))
    after = statistics(world)[Subject("family", KNOWN[0]), "raw"].moments()
    np.testing.assert_allclose(after.second, before.second, rtol=1e-12, atol=1e-9)
    assert world.store.samples.sample_counts()["active"] == 540 + 10
    bring_up_to_date(world.context)
    assert learned(world).keys().isdisjoint(ids_of(world, both))
    assert_whole(world)


def test_what_a_trusted_source_alone_still_delivers_may_be_learned(world: World) -> None:
    both = twice(world, "untrusted", "trusted")
    bring_up_to_date(world.context)
    assert learned(world).keys().isdisjoint(ids_of(world, both))
    forget(world, ForgetTarget("source", "one"))
    bring_up_to_date(world.context)
    assert set(ids_of(world, both)) <= learned(world).keys()
    assert_whole(world)


def test_a_conflict_that_only_the_forgotten_source_made_is_lifted_and_one_that_others_made_stays(world: World) -> None:
    mine, disputed = [c for c in in_train(KNOWN[0], 4) if c in beginning()][:2]
    deliver(world, [replace(c, uri=f"liar:{c.uri}", family=KNOWN[1]) for c in (mine, disputed)], "liar")
    deliver(world, [replace(disputed, uri=f"more:{disputed.uri}", family=KNOWN[2])], "more")
    assert world.store.samples.quarantine_counts() == {"label_conflict": 2}
    bring_up_to_date(world.context)
    assert learned(world).keys().isdisjoint(ids_of(world, [mine, disputed]))
    forget(world, ForgetTarget("source", "liar"))
    assert world.store.samples.quarantine_counts() == {"label_conflict": 1}
    world.cycle()
    bring_up_to_date(world.context)
    (one,) = ids_of(world, [mine])
    assert learned(world)[one] == Subject("family", KNOWN[0])
    assert_whole(world)


def test_forgetting_what_came_first_leaves_what_the_others_say(world: World) -> None:
    theirs = in_train(KNOWN[0], 5, start=500)
    deliver(world, [replace(c, uri=f"one:{c.uri}") for c in theirs], "one")
    deliver(world, [replace(c, uri=f"two:{c.uri}", label=None, family=None) for c in theirs], "two")
    bring_up_to_date(world.context)
    forget(world, ForgetTarget("source", "one"))
    assert learned(world).keys().isdisjoint(ids_of(world, theirs))
    assert world.store.samples.sample_counts()["active"] == 545  # there, without a label
    assert sum(row.samples for row in world.store.samples.subjects()) == 540
    with world.store.database.read() as connection:
        rows = connection.execute(
            select(t.sample_group.c.key, t.source.c.name, t.adapter.c.name)
            .select_from(t.sample.join(t.sample_group).join(t.source).join(t.adapter))
            .where(t.sample.c.id.in_(ids_of(world, theirs)))
        ).all()
    assert {(source, adapter) for _, source, adapter in rows} == {("two", "two")}
    assert {key for key, _, _ in rows} == {c.group for c in theirs}
    assert_whole(world)


# --- learned once, and no longer ---------------------------------------------------------------------------


def test_a_learned_sample_that_is_quarantined_later_leaves_the_statistics_at_the_next_learning(
    world: World, tmp_path: Path
) -> None:
    fresh = World(tmp_path / "fresh")
    liars = [c for c in in_train(KNOWN[0], 20) if c in beginning()][:7]
    deliver(world, [replace(c, uri=f"x:{c.uri}", family=KNOWN[1]) for c in liars], "x")
    version = challenger(world)
    fresh.inbox.put([c for c in beginning() if c not in liars])
    fresh.cycle()
    assert_same_statistics(world, fresh)
    champion = fresh.context.champion.get()
    assert champion is not None
    assert_same_scores(fresh, version, champion)
    assert_whole(world)


def test_a_version_that_learned_a_row_scores_it_held_out_even_after_it_was_taken_out_and_learned_again(
    world: World,
) -> None:
    old = world.context.champion.get()
    assert old is not None
    one = next(c for c in in_train(KNOWN[0], 20) if c in beginning())
    honest = held_out(world, old, one)
    assert honest != plain(world, old, one)
    deliver(world, [replace(one, uri="x:1", family=KNOWN[1])], "x")  # in quarantine: out of the statistics
    bring_up_to_date(world.context)
    between = challenger(world)
    forget(world, ForgetTarget("source", "x"))  # the conflict is lifted
    assert held_out(world, old, one) == honest
    world.cycle()  # learned again, at a later revision, for a challenger of the champion that held it
    assert ids_of(world, [one])[0] in learned(world)
    assert held_out(world, old, one) == honest
    again = load_version(world.store.registry, world.store.registry.versions()[-1])
    assert again.record.id != between.record.id
    assert held_out(world, again, one) != plain(world, again, one)
    # `between` never held it: the head of its fold has not seen it either
    fold = fold_of(world, one)
    assert held_out(world, between, one) == pytest.approx(between.artifact.fold_heads[fold].scores(vector(world, one)))
    assert_whole(world)


def test_a_forgotten_picture_that_comes_again_is_known_to_the_versions_that_learned_it(world: World) -> None:
    old = world.context.champion.get()
    assert old is not None
    one = next(c for c in in_train(KNOWN[0], 20) if c in beginning())
    honest, before = held_out(world, old, one), ids_of(world, [one])
    forget(world, ForgetTarget("sample", digest(one)))
    deliver(world, [replace(one, uri="x:1", group="a group on another side")], "x")
    assert ids_of(world, [one]) == before
    assert held_out(world, old, one) == honest  # same group, same fold, cross-fitted
    (row,) = [r for r in world.store.samples.scored_rows(old.record.id, "raw") if r.sample_id == before[0]]
    assert row.learned and row.group == one.group
    assert world.store.samples.blob(digest(one)) == one.content
    assert_whole(world)


def rows_with(world: World, one: Candidate) -> Any:
    (wanted,) = ids_of(world, [one])
    rows = world.store.samples.labelled_vectors(FINGERPRINT, "raw")
    return rows.take(np.flatnonzero(rows.sample_ids == wanted))


def held_out(world: World, version: LoadedVersion, one: Candidate) -> float:
    return float(version.held_out(rows_with(world, one))[0])


def plain(world: World, version: LoadedVersion, one: Candidate) -> float:
    return float(version.artifact.head.scores(vector(world, one))[0])


def vector(world: World, one: Candidate) -> Any:
    return rows_with(world, one).vectors


def fold_of(world: World, one: Candidate) -> int:
    return int(rows_with(world, one).folds[0])


# --- the end of the process -------------------------------------------------------------------------------

WRITES = 10  # transactions of one forgetting and the update after it


@contextmanager
def dying_at(monkeypatch: pytest.MonkeyPatch, number: int, when: str) -> Any:
    """The process ends at the n-th transaction: before it is committed, or right after; or amid removing files."""
    seen = {"writes": 0}
    write, remove = Database.write, store.forgetting.remove_files

    @contextmanager
    def dying(self: Database, *, durable: bool = False) -> Any:
        seen["writes"] += 1
        mine = seen["writes"] == number
        with write(self, durable=durable) as connection:
            yield connection
            if mine and when == "before":
                raise Killed
        if mine and when == "after":
            raise Killed

    def half(paths: Any) -> None:
        paths = list(paths)
        remove(paths[: len(paths) // 2])
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", dying)
        if when == "amid files":
            patch.setattr(store.forgetting, "remove_files", half)
        yield seen


@pytest.fixture(scope="module")
def prepared(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which another adapter's pictures were learned."""
    world = copied(begun, tmp_path_factory.mktemp("prepared") / "state")
    deliver(world, others(), "other")
    bring_up_to_date(world.context)
    world.store.close()
    return world.root


@pytest.fixture(scope="module")
def story(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is there at the end when nothing kills the process."""
    world = copied(prepared, tmp_path_factory.mktemp("whole") / "state")
    with pytest.MonkeyPatch.context() as monkeypatch, dying_at(monkeypatch, 0, "never") as seen:
        whole(world)
    assert seen["writes"] == WRITES
    return ending(world)


def whole(world: World) -> None:
    """What the command does when it holds the state."""
    world.store.samples.forget(OTHER, "a test", "tester", world.clock.now())
    finish_forgetting(world.context)
    run_update(world.context)


def ending(world: World) -> dict[str, Any]:
    found = everything(world)
    versions = world.store.registry.versions()
    return {
        "statistics": found["statistics"],
        "counts": found["counts"],
        "subjects": found["subjects"],
        "audit": [(row.action, row.payload.get("gone")) for row in found["audit"]],
        "forgets": [(record.target, record.state, record.counts) for record in found["forgets"]],
        "versions": [(version.id, version.state) for version in versions],
        "blobs": [f for f in found["files"] if f.startswith("blobs/")],
        "vectors": len([f for f in found["files"] if f.startswith("vectors/")]),
    }


KILLS = [(number, when) for number in range(1, WRITES + 1) for when in ("before", "after")] + [(0, "amid files")]


@pytest.mark.accept
@pytest.mark.parametrize(("number", "when"), KILLS)
def test_a_process_that_ends_anywhere_in_it_leaves_a_whole_store_and_the_command_again_finishes(
    number: int, when: str, story: dict[str, Any], prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = copied(prepared, tmp_path / "state")
    with dying_at(monkeypatch, number, when), pytest.raises(Killed):
        whole(world)
    world.store.close()
    world.open()
    assert_whole(world)
    whole(world)
    assert ending(world) == story
    assert_whole(world)
