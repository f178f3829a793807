"""Moving a store to another encoder: beside the service's work, cut off anywhere, turned down, switched and back."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from daemon.champion import load_version
from daemon.context import Context
from daemon.encoders.pool import Encoders
from daemon.encoders.stopped import StoppedEncoder
from daemon.errors import BadInputError, ConfigurationError
from daemon.intake.taking_in import intake
from daemon.learn.bookkeeping import finish_forgetting
from daemon.learn.learning import ClosedForm
from daemon.model import PROFILES, ForgetTarget, Migration, VersionRecord
from daemon.operations import version_or_champion
from daemon.promote.deciding import promote_by_hand, roll_back
from daemon.reembed.in_force import encoder_notice
from daemon.reembed.migrating import step
from daemon.reembed.recorded import record
from daemon.service import Service
from daemon.settings import (
    EncoderSettings,
    GateSettings,
    OpenClipSettings,
    ReembedSettings,
    Settings,
    StoreSettings,
)
from store import tables
from tests.integration.test_story import assert_whole
from tests.integration.world import ADAPTER, FINGERPRINT, NEW, Encoder, World, beginning, candidate

OLD = EncoderSettings(name="forensic")
TARGET = EncoderSettings(name="open_clip")
TO = "e" * 64
SEEING = Encoder(fingerprint=TO, dimension=20)
BLIND = Encoder(fingerprint=TO, dimension=20, blind=True)
QUICK = Settings(
    adapters=(ADAPTER,),
    encoder=OLD,
    gate=GateSettings(replicates=100),
    reembed=ReembedSettings(samples_per_cycle=200),
)
STARTED = len(beginning())
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with a champion of the old encoder."""
    root = tmp_path_factory.mktemp("settled") / "state"
    world = World(root, settings=QUICK)
    world.inbox.put(beginning())
    world.until_idle()
    world.store.close()
    return root


def reopened(settled: Path, root: Path, target: Encoder = SEEING, **changes: Any) -> World:
    """A service of its own on a copy of the settled state."""
    shutil.copytree(settled, root)
    settings = replace_settings(store=StoreSettings(directory=root), **changes)
    world = World(root, settings=settings, kinds={"forensic": Encoder(), "open_clip": target})
    world.inbox.batches.append([])  # the cursor stands behind the first batch
    world.clock.catch_up(world.clock.now() + 20 * world.clock._step)
    return world


def replace_settings(**changes: Any) -> Settings:
    return QUICK.model_copy(update=changes)


def begin(world: World, target: EncoderSettings = TARGET, fingerprint: str = TO) -> Migration:
    champion = world.store.registry.champion()
    assert champion is not None
    return world.store.migrations.begin(
        from_fingerprint=champion.fingerprint,
        to_fingerprint=fingerprint,
        from_settings=None,
        to_settings=record(target),
        at=world.clock.now(),
    )


def command(world: World) -> Context:
    """What a command that starts no encoder by itself works with."""
    stopped = StoppedEncoder(champion_of(world)[1])
    return replace(world.context, encoders=Encoders(stopped, None, world.start))


def through(world: World, context: Context | None = None, most: int = 20) -> Migration:
    """Steps until the migration is finished."""
    for _ in range(most):
        after = step(context or world.context)
        assert after is not None
        if after.finished:
            return after
    raise AssertionError(f"not finished after {most} steps")


def champion_of(world: World) -> tuple[str, str]:
    champion = world.store.registry.champion()
    assert champion is not None
    return champion.id, champion.fingerprint


def configured(world: World, encoder: EncoderSettings) -> None:
    """Restart with another config.yaml."""
    world.store.close()
    world.settings = world.settings.model_copy(update={"encoder": encoder})
    world.open()


def test_a_store_moves_in_bounded_steps_and_the_switch_is_one_row_of_the_audit(settled: Path, tmp_path: Path) -> None:
    world = reopened(settled, tmp_path / "state")
    before = champion_of(world)
    begin(world)
    first = step(world.context)
    assert first is not None and first.state == "embedding"
    counts = world.store.migrations.counts(first.id)
    assert (counts.embedded, counts.waiting, counts.without_picture) == (200, STARTED - 200, 0)
    assert champion_of(world) == before
    done = through(world)
    assert done.state == "switched"
    assert world.store.migrations.counts(done.id).embedded == STARTED
    assert champion_of(world) == (done.version, TO)
    assert world.context.encoder.fingerprint == TO
    last = world.store.registry.audit()[-1]
    assert (last.action, last.actor, last.version, last.previous) == ("promote", "gate", done.version, before[0])
    assert last.payload["migration"] == done.id
    assert last.payload["verdict"] == done.verdict
    assert done.from_settings == record(OLD)
    assert_whole(world)


def test_the_new_head_learned_by_the_rules_and_both_sides_were_measured_on_the_same_pictures(
    settled: Path, tmp_path: Path
) -> None:
    world = reopened(settled, tmp_path / "state")
    begin(world)
    done = through(world)
    learned = {
        fingerprint: {
            int(sample)
            for rows in [world.store.samples.labelled_vectors(fingerprint, "raw")]
            for sample, split, revision in zip(rows.sample_ids, rows.splits, rows.learned_revision, strict=True)
            if revision and split == "train"
        }
        for fingerprint in (FINGERPRINT, TO)
    }
    assert learned[TO] == learned[FINGERPRINT] != set()
    assert done.champion is not None and done.version is not None
    sides = [
        {
            (row.subject, row.profile): row.n
            for row in world.store.samples.latest_evaluations(version)
            if row.window == "shadow"
        }
        for version in (done.champion, done.version)
    ]
    assert sides[0] == sides[1]
    assert {profile for _, profile in sides[0]} == set(PROFILES)
    assert sum(n for (_, profile), n in sides[0].items() if profile == "raw") == STARTED
    checks = (done.verdict or {})["checks"]
    assert {check["name"] for check in checks} >= {"family", "macro_mean", "false_positive_rate", "source"}
    assert all(check["champion"] is not None for check in checks)


def test_a_blind_encoder_is_rejected_with_the_numbers_and_nothing_else_changes(settled: Path, tmp_path: Path) -> None:
    world = reopened(settled, tmp_path / "state", BLIND)
    before = champion_of(world)
    begin(world)
    done = through(world)
    assert done.state == "rejected"
    assert "proved worse" in done.reason and "AP" in done.reason
    assert champion_of(world) == before
    assert world.context.encoder.fingerprint == FINGERPRINT
    assert done.version is not None
    assert world.store.registry.version(done.version).state == "rejected"
    assert world.store.registry.audit()[-1].action == "reject"
    world.cycle()
    with world.context.encoders.lent(TO) as target:
        assert target is None  # its process has ended
    assert world.cycle().idle
    assert_whole(world)


def test_deliveries_during_the_move_get_both_vectors_and_are_scored_by_the_champion_of_their_time(
    settled: Path, tmp_path: Path
) -> None:
    world = reopened(settled, tmp_path / "state")
    old, _ = champion_of(world)
    begin(world)
    step(world.context)
    world.inbox.put(candidate("old_gan", i) for i in range(100, 130))
    world.cycle()
    done = through(world)
    assert done.state == "switched"
    assert len(world.store.samples.labelled_vectors(TO, "raw")) == STARTED + 30
    assert len(world.store.samples.labelled_vectors(FINGERPRINT, "raw")) == STARTED + 30
    world.inbox.put(candidate("old_gan", i) for i in range(130, 150))
    world.until_idle()
    # Only what came after the switch is scored by the new champion; its tests begin with it.
    assert len(world.store.samples.scored_rows(old, "raw")) == STARTED + 30
    assert len(world.store.samples.scored_rows(str(done.version), "raw")) == 20
    assert [test.votes for test in world.store.samples.test_states(str(done.version))] == [20]
    assert len(world.store.samples.labelled_vectors(FINGERPRINT, "raw")) == STARTED + 30
    assert_whole(world)


def test_pictures_that_are_gone_or_that_the_target_cannot_take_are_counted_and_harm_nothing(
    settled: Path, tmp_path: Path
) -> None:
    refused = tuple(f"old_gan:{i}".encode() for i in range(3))
    world = reopened(settled, tmp_path / "state", replace(SEEING, refused=refused))
    vector = np.zeros(16, np.float16)
    gone = [
        candidate("camera_a", i, content=None, sha256=f"{i:064x}", vector=vector, vector_fingerprint=FINGERPRINT)
        for i in range(900, 904)
    ]
    world.inbox.put(gone)
    world.until_idle()
    begin(world)
    done = through(world)
    assert done.state == "switched"
    counts = world.store.migrations.counts(done.id)
    assert (counts.without_picture, counts.failed, counts.waiting) == (4, 3, 0)
    assert counts.embedded == STARTED - 3
    assert world.store.samples.quarantine_counts() == {}
    assert_whole(world)


def test_a_target_that_takes_no_picture_at_all_is_rejected_without_a_version(settled: Path, tmp_path: Path) -> None:
    every = tuple(c.content for c in beginning() if c.content)
    world = reopened(settled, tmp_path / "state", replace(SEEING, refused=every))
    begin(world)
    done = through(world)
    assert (done.state, done.version) == ("rejected", None)
    assert "too little to learn from" in done.reason
    world.cycle()
    assert [event.kind for event in world.told].count("migration_rejected") == 1
    assert world.store.samples.quarantine_counts() == {}


def test_a_family_that_evades_the_old_encoder_and_is_seen_by_the_new_one_is_learned_by_the_move(
    settled: Path, tmp_path: Path
) -> None:
    world = reopened(settled, tmp_path / "state")
    world.settings = replace_settings(learn=world.settings.learn.model_copy(update={"automatic": False}))
    world.store.close()
    world.open()
    world.inbox.put(candidate(NEW, i) for i in range(40))
    world.cycle()
    (episode,) = world.store.samples.episodes()
    assert episode.state == "alarmed"
    begin(world)
    done = through(world)
    assert done.state == "switched"
    (episode,) = world.store.samples.episodes()
    assert (episode.state, episode.version) == ("learned", done.version)


def test_cancelled_it_stays_out_and_another_one_may_begin(settled: Path, tmp_path: Path) -> None:
    world = reopened(settled, tmp_path / "state")
    found = begin(world)
    step(world.context)
    assert begin(world).id == found.id  # asked twice: the same one goes on
    with pytest.raises(BadInputError, match="is under way"):
        begin(world, fingerprint="d" * 64)
    world.store.migrations.cancel(found.id, "by hand", world.clock.now())
    assert step(world.context) is None
    with pytest.raises(BadInputError, match="cancelled already"):
        world.store.migrations.cancel(found.id, "by hand", world.clock.now())
    again = begin(world)
    assert again.id != found.id
    assert world.store.migrations.counts(again.id).embedded == 200  # what was embedded stays
    assert through(world).state == "switched"


def test_a_promotion_during_the_comparison_is_met_by_comparing_anew(
    settled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = reopened(settled, tmp_path / "state")
    first, _ = champion_of(world)
    begin(world)
    switch = type(world.store.migrations).switch
    moved: list[str] = []

    def after_another(self: Any, migration: int, at: Any) -> Any:
        if not moved:
            champion = world.context.champion.get()
            other = ClosedForm("linear")(world.context, champion, ()).record
            moved.append(other.id)
            world.store.registry.promote(other.id, expected=first, actor="x", reason="y", verdict=None, at=at)
        return switch(self, migration, at)

    monkeypatch.setattr(type(world.store.migrations), "switch", after_another)
    done = through(world)
    assert (done.state, done.champion) == ("switched", moved[0])
    assert world.store.registry.audit()[-1].previous == moved[0]


def test_scoring_never_fails_while_the_encoder_is_switched_and_brought_back(settled: Path, tmp_path: Path) -> None:
    world = reopened(settled, tmp_path / "state")
    service = Service(world.context, Telemetry(), simulated=True)
    old, _ = champion_of(world)
    answers: list[tuple[str, str, str | None]] = []
    faults: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.005):
            try:
                found = service.score(b"old_gan:1")
            except BaseException as fault:
                faults.append(fault)
                raise
            answers.append((found.version, found.verdict, found.family))

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    begin(world)
    done = through(world)
    world.cycle()  # the old encoder is ended here
    after_switch = len(answers)
    while len(answers) < after_switch + 10 and not faults:
        over.wait(0.01)
    roll_back(command(world), "somebody", "to see")
    world.cycle()
    world.cycle()  # and here the new one
    after_rollback = len(answers)
    while len(answers) < after_rollback + 10 and not faults:
        over.wait(0.01)
    over.set()
    for thread in asking:
        thread.join()
    assert faults == []
    assert {version for version, _, _ in answers} == {old, done.version}
    assert {answer[1:] for answer in answers} == {("synthetic", "old_gan")}
    assert answers[after_switch + 5][0] == done.version and answers[-1][0] == old


@pytest.fixture(scope="module")
def switched(settled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory that moved to the other encoder."""
    root = tmp_path_factory.mktemp("switched") / "state"
    world = reopened(settled, root)
    begin(world)
    assert through(world).state == "switched"
    world.store.close()
    return root


class TestAfterTheSwitch:
    def test_a_restart_with_the_old_name_starts_the_new_encoder_and_says_so(
        self, switched: Path, tmp_path: Path
    ) -> None:
        world = reopened(switched, tmp_path / "state")
        assert world.context.encoder.fingerprint == TO
        assert world.context.encoder.name == "open_clip"
        notice = encoder_notice(OLD, world.store.registry, world.store.migrations)
        assert notice is not None
        assert notice.startswith("config.yaml names forensic, in force is open_clip (ViT-L-14-336-quickgelu) since the")
        assert "migration" in notice and "set encoder.name: open_clip" in notice
        status = Service(world.context, Telemetry(), simulated=True).refresh()
        assert status.encoder_notice == notice
        assert status.service.encoder == "open_clip"
        assert status.migration is not None and status.migration.state == "switched"

    def test_once_config_yaml_names_it_nothing_is_said(self, switched: Path, tmp_path: Path) -> None:
        world = reopened(switched, tmp_path / "state", encoder=TARGET)
        assert world.context.encoder.fingerprint == TO
        assert encoder_notice(TARGET, world.store.registry, world.store.migrations) is None

    def test_a_third_encoder_is_refused_with_what_to_do(self, switched: Path, tmp_path: Path) -> None:
        third = EncoderSettings(name="external")
        with pytest.raises(ConfigurationError, match=r"in force is open_clip .*set encoder\.name: open_clip"):
            reopened(switched, tmp_path / "state", encoder=third)
        world = reopened(switched, tmp_path / "other")
        world.kinds["open_clip"] = replace(SEEING, fingerprint="d" * 64)
        with pytest.raises(ConfigurationError, match=r"sidwatch reembed --encoder open_clip"):
            configured(world, EncoderSettings(name="open_clip", open_clip=OpenClipSettings(model="another")))

    def test_a_rollback_brings_the_old_encoder_back_and_scoring_never_fails(
        self, switched: Path, tmp_path: Path
    ) -> None:
        world = reopened(switched, tmp_path / "state", encoder=TARGET)
        service = Service(world.context, Telemetry(), simulated=True)
        new, _ = champion_of(world)
        assert service.score(b"old_gan:1").version == new
        beside = world.context.encoders
        roll_back(command(world), "somebody", "worse in the newsroom")
        old, fingerprint = champion_of(world)
        assert fingerprint == FINGERPRINT
        assert service.score(b"old_gan:1").version == new  # the old encoder is not up yet
        world.cycle()
        assert world.context.encoders is beside and world.context.encoder.fingerprint == FINGERPRINT
        answer = service.score(b"old_gan:1")
        assert (answer.version, answer.verdict, answer.family) == (old, "synthetic", "old_gan")
        notice = encoder_notice(TARGET, world.store.registry, world.store.migrations)
        assert notice is not None and "in force is forensic since the rollback of" in notice
        world.until_idle()
        assert_whole(world)

    def test_a_rollback_to_an_encoder_that_is_another_one_by_now_is_refused(
        self, switched: Path, tmp_path: Path
    ) -> None:
        world = reopened(switched, tmp_path / "state", encoder=TARGET)
        world.kinds["forensic"] = Encoder(fingerprint="c" * 64)
        before = champion_of(world)
        with pytest.raises(ConfigurationError, match="forensic is now cccccccccccc, not ffffffffffff"):
            roll_back(command(world), "somebody", "why not")
        assert champion_of(world) == before

    def test_purging_leaves_what_champion_and_previous_need(self, switched: Path, tmp_path: Path) -> None:
        world = reopened(switched, tmp_path / "state")
        with pytest.raises(BadInputError, match="is needed"):
            world.store.migrations.purge([FINGERPRINT], world.clock.now())
        third = Encoder(fingerprint="d" * 64, dimension=24)
        world.kinds["open_clip"] = third
        begin(world, EncoderSettings(name="open_clip", open_clip=OpenClipSettings(model="another")), "d" * 64)
        assert through(world).state == "switched"
        removed = world.store.migrations.purge([FINGERPRINT], world.clock.now())
        assert removed["vectors"] == 2 * STARTED
        assert world.store.migrations.encoders() == {"d" * 64: STARTED, TO: STARTED}
        assert world.store.samples.statistics(FINGERPRINT) == {}
        assert_whole(world)
        first = world.store.registry.versions()[0]
        with pytest.raises(BadInputError, match="no longer kept"):
            promote_by_hand(command(world), first.id, "somebody", "why not")
        with pytest.raises(BadInputError, match="no longer kept"):
            version_or_champion(world.context, first.id)

    def test_a_version_whose_vectors_were_purged_and_made_anew_knows_what_it_learned(
        self, switched: Path, tmp_path: Path
    ) -> None:
        world = reopened(switched, tmp_path / "state")
        first = world.store.registry.versions()[0]
        before = learned_by(world, first)
        assert len(before) > 50
        world.kinds["open_clip"] = Encoder(fingerprint="d" * 64, dimension=24)
        begin(world, EncoderSettings(name="open_clip", open_clip=OpenClipSettings(model="another")), "d" * 64)
        assert through(world).state == "switched"
        world.store.migrations.purge([FINGERPRINT], world.clock.now())
        gone = min(before)
        world.store.samples.forget(ForgetTarget("sample", gone), "a test", "tester", world.clock.now())
        finish_forgetting(world.context)
        begin(world, EncoderSettings(name="forensic"), FINGERPRINT)
        assert through(world).state in ("switched", "held")
        assert learned_by(world, first) == before - {gone}
        assert world.store.samples.forgotten_in(FINGERPRINT, first.statistics_revision) == 1
        assert_whole(world)


def learned_by(world: World, version: VersionRecord) -> set[str]:
    """Digests of the pictures that a version is scored on by the head of their fold."""
    rows = world.store.samples.labelled_vectors(version.fingerprint, "raw")
    learned = load_version(world.store.registry, version).learned(rows.learned_revision)
    ids = rows.sample_ids[learned].tolist()
    s = tables.sample.c
    with world.store.database.read() as connection:
        return set(connection.execute(select(s.sha256).where(s.id.in_(ids))).scalars())


class TestAnUpgradeChangedTheEncoder:
    """The program's own encoder is another one by now, and nothing can make the champion's vectors any more."""

    UPGRADED = Encoder(fingerprint="9" * 64, dimension=18)

    def test_the_service_does_not_start_and_says_how_to_move(self, settled: Path, tmp_path: Path) -> None:
        world = reopened(settled, tmp_path / "state")
        world.store.close()
        world.kinds["forensic"] = self.UPGRADED
        with pytest.raises(ConfigurationError, match="sidwatch reembed --encoder forensic"):
            world.open()

    def test_the_move_works_without_the_old_encoder_and_then_the_service_starts(
        self, settled: Path, tmp_path: Path
    ) -> None:
        world = reopened(settled, tmp_path / "state")
        world.inbox.put(candidate("old_gan", i) for i in range(100, 110))
        intake(world.context, ADAPTER)  # neither embedded nor scored before the upgrade
        old, _ = champion_of(world)
        world.kinds["forensic"] = self.UPGRADED
        begin(world, OLD, "9" * 64)
        done = through(world, command(world))
        assert (done.state, done.champion, done.from_settings) == ("switched", old, None)
        assert world.store.migrations.counts(done.id).embedded == STARTED + 10
        learned = world.store.samples.labelled_vectors("9" * 64, "raw")
        assert learned.learned_revision[[at > world.clock.now() - DAY for at in learned.delivered_at]].max() == 0
        configured(world, OLD)
        assert world.context.encoder.fingerprint == "9" * 64
        assert encoder_notice(OLD, world.store.registry, world.store.migrations) is None
        world.until_idle()
        assert len(world.store.samples.scored_rows(str(done.version), "raw")) == 10
        assert_whole(world)

    def test_when_the_gate_holds_it_a_person_may_decide_and_the_message_says_so(
        self, settled: Path, tmp_path: Path
    ) -> None:
        world = reopened(settled, tmp_path / "state")
        world.kinds["forensic"] = replace(self.UPGRADED, blind=True)
        begin(world, OLD, "9" * 64)
        done = through(world, command(world))
        assert done.state == "rejected"
        with pytest.raises(ConfigurationError, match=f"sidwatch models promote {done.version} --reason"):
            configured(world, OLD)
        promote_by_hand(command(world), str(done.version), "somebody", "the old one is gone")
        configured(world, OLD)
        assert world.context.encoder.fingerprint == "9" * 64


class Telemetry:
    """Publishes nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


# (port, write, which of its calls)
WRITES = [
    ("samples", "add_vectors", 1),
    ("samples", "add_vectors", 4),
    ("samples", "commit_statistics", 1),
    ("samples", "save_evaluations", 1),
    ("registry", "add_version", 1),
    ("migrations", "begin", 1),
    ("migrations", "know_origin", 1),
    ("migrations", "add_failures", 2),
    ("migrations", "advance", 1),  # embedding -> learning
    ("migrations", "advance", 2),  # learning -> shadow
    ("migrations", "advance", 3),  # shadow -> judged
    ("migrations", "switch", 1),
    ("migrations", "turn_down", 1),
]


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def story(world: World) -> dict[str, Any]:
    """What must not depend on kills."""
    (done,) = world.store.migrations.all()
    return {
        "state": done.state,
        "champion": champion_of(world),
        "version": done.version,
        "decisions": [(row.action, row.version) for row in world.store.registry.audit()],
        "embedded": world.store.migrations.counts(done.id),
        "learned": world.store.samples.statistics_revision(TO),
    }


@pytest.fixture(scope="module")
def told(settled: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    found = {}
    for kind, target in (("seeing", SEEING), ("blind", BLIND)):
        world = reopened(settled, tmp_path_factory.mktemp(kind) / "state", target)
        begin(world)
        through(world)
        found[kind] = story(world)
    return found


@pytest.mark.accept
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("port", "name", "call"), WRITES)
def test_a_process_that_ends_at_a_write_of_the_move_goes_on_where_it_was(
    port: str,
    name: str,
    call: int,
    after: bool,
    settled: Path,
    told: dict[str, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = "blind" if name == "turn_down" else "seeing"
    world = reopened(settled, tmp_path / "state", BLIND if kind == "blind" else SEEING)
    target = type(getattr(world.store, port))
    original = getattr(target, name)
    calls = 0

    def dying(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < call:
            return original(self, *arguments, **named)
        if after:
            original(self, *arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(target, name, dying)
        with pytest.raises(Killed):
            begin(world)
            through(world)
    world.store.close()
    world.open()
    if not world.store.migrations.all():
        begin(world)
    if world.store.migrations.active() is not None:
        through(world)
    assert story(world) == told[kind]
    world.until_idle()
    assert_whole(world)
