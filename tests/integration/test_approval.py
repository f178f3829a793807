"""promotion.mode manual: what the gate lets pass waits for a person; nobody can approve what does not wait."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cli import run
from daemon.errors import BadInputError, ChampionMoved, CorruptArtifact, SidwatchError
from daemon.model import ForgetTarget, VersionRecord
from daemon.promote.deciding import approve, promote_by_hand, reject_by_hand
from daemon.settings import EncoderSettings, PromotionSettings, Settings
from store.lock import StateLock
from store.state import open_store
from tests.integration.test_story import assert_whole
from tests.integration.world import ADAPTER, KNOWN, NEW, START, World, beginning, candidate

MANUAL = Settings(
    adapters=(ADAPTER,), encoder=EncoderSettings(name="forensic"), promotion=PromotionSettings(mode="manual")
)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state in which a challenger that learned the newcomer waits."""
    world = World(tmp_path_factory.mktemp("waiting") / "state", settings=MANUAL)
    world.inbox.put(beginning())
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(60))
    world.until_idle()
    world.store.close()
    return world.root


@pytest.fixture
def world(waiting: Path, tmp_path: Path) -> World:
    shutil.copytree(waiting, tmp_path / "state")
    world = World(tmp_path / "state", settings=MANUAL)
    world.inbox.batches += [[], []]  # what the state has taken in already
    world.clock.catch_up(START + timedelta(days=10))
    return world


def challenger(world: World) -> VersionRecord:
    (found,) = [version for version in world.store.registry.versions() if version.state == "waiting"]
    return found


def in_force(world: World) -> str:
    champion = world.store.registry.champion()
    assert champion is not None
    return champion.id


def states(world: World) -> dict[str, str]:
    return {episode.family: episode.state for episode in world.store.samples.episodes()}


def test_the_first_champion_comes_by_itself_and_the_challenger_waits(world: World) -> None:
    version = challenger(world)
    assert in_force(world) == version.parent
    assert version.verdict is not None and version.verdict["decision"] == "promote"
    assert states(world) == {NEW: "alarmed"}
    assert [row.action for row in world.store.registry.audit()] == ["promote", "wait"]
    assert [event.kind for event in world.store.samples.events(50)].count("approval_wanted") == 1
    assert world.store.samples.latest_evaluations(version.id), "who decides wants to see its figures"
    assert world.cycle().idle, "it is not made anew while it waits"
    assert_whole(world)


def test_an_approved_version_comes_into_force_and_the_episode_goes_on(world: World) -> None:
    version = challenger(world)
    row = approve(world.context, version.id, "ada", "figures looked at")
    assert (row.action, row.actor, row.reason, row.previous) == ("promote", "ada", "figures looked at", version.parent)
    assert row.payload["approved"] is True and row.payload["verdict"] == version.verdict
    world.until_idle()
    assert in_force(world) == version.id and states(world) == {NEW: "learned"}
    with pytest.raises(BadInputError, match="is promoted and does not wait"):
        approve(world.context, version.id, "ada", "again")
    with pytest.raises(BadInputError, match="is promoted and does not wait"):
        reject_by_hand(world.context, version.id, "ada", "after all")
    assert_whole(world)


def test_a_rejected_version_cannot_be_approved_and_is_not_made_again_without_news(world: World) -> None:
    version = challenger(world)
    row = reject_by_hand(world.context, version.id, "ada", "one source only")
    assert (row.action, row.actor, row.reason) == ("reject", "ada", "one source only")
    with pytest.raises(BadInputError, match="is rejected and does not wait"):
        approve(world.context, version.id, "eve", "let me")
    world.until_idle()
    after = world.store.registry.version(version.id)
    assert (after.state, after.verdict) == ("rejected", version.verdict)
    assert in_force(world) == version.parent and len(world.store.registry.versions()) == 2
    world.inbox.put(candidate(NEW, 100 + i) for i in range(40))  # news: another challenger waits
    world.until_idle()
    assert challenger(world).id != version.id
    assert_whole(world)


def test_a_version_that_can_no_longer_be_approved_keeps_no_other_one_away(world: World) -> None:
    version = challenger(world)
    learned = {
        row.sample_id for row in world.store.samples.learned_rows(version.fingerprint) if row.subject.name == NEW
    }
    wanted = world.store.samples.labelled_samples(version.fingerprint)
    number = next(i for i, sample in enumerate(wanted.sample_ids.tolist()) if sample in learned)
    content = f"{NEW}:{wanted.groups[number].rpartition('-')[2]}".encode()
    sha256 = hashlib.sha256(content).hexdigest()
    world.store.samples.forget(ForgetTarget("sample", sha256), "withdrawn", "ada", world.context.clock.now())
    world.inbox.put(candidate(NEW, 100 + i) for i in range(40))
    world.until_idle()
    with pytest.raises(BadInputError, match="forgotten since"):
        approve(world.context, version.id, "ada", "figures looked at")
    both = [one for one in world.store.registry.versions() if one.state == "waiting"]
    assert len(both) == 2
    approve(world.context, both[1].id, "ada", "without what was forgotten")
    assert_whole(world)


def test_when_promotion_is_automatic_again_a_version_that_waits_keeps_no_other_one_away(
    waiting: Path, tmp_path: Path
) -> None:
    shutil.copytree(waiting, tmp_path / "state")
    automatic = MANUAL.model_copy(update={"promotion": PromotionSettings()})
    world = World(tmp_path / "state", settings=automatic)
    world.inbox.batches += [[], []]
    world.clock.catch_up(START + timedelta(days=10))
    version = challenger(world)
    world.inbox.put(candidate(NEW, 100 + i) for i in range(40))
    world.until_idle()
    assert in_force(world) not in (version.id, version.parent)
    assert states(world) == {NEW: "learned"}
    assert_whole(world)


def test_it_is_not_approved_over_another_champion_than_it_was_compared_with(world: World) -> None:
    version = challenger(world)
    world.inbox.put(candidate(NEW, 100 + i) for i in range(40))
    world.until_idle()
    assert challenger(world).id == version.id, "a person is not shown another for every delivery"
    world.inbox.put(candidate(NEW, 200 + i) for i in range(40))  # by now there is twice the evidence
    world.until_idle()
    both = [one.id for one in world.store.registry.versions() if one.state == "waiting"]
    assert len(both) == 2
    approve(world.context, both[1], "ada", "the newer one")
    with pytest.raises(ChampionMoved, match="compared with another champion"):
        approve(world.context, version.id, "eve", "the older one")
    assert in_force(world) == both[1]
    reject_by_hand(world.context, version.id, "eve", "superseded")
    promote_by_hand(world.context, version.id, "eve", "overruled on purpose")
    assert_whole(world)


def test_of_two_who_approve_at_once_one_does(world: World) -> None:
    version, start, outcomes = challenger(world), threading.Barrier(4), []

    def decide(number: int) -> None:
        start.wait()
        try:
            act = approve if number % 2 else reject_by_hand
            outcomes.append(act(world.context, version.id, f"person_{number}", "mine").action)
        except SidwatchError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=decide, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes)[:3] == ["BadInputError"] * 3
    assert len(world.store.registry.audit()) == 3
    assert_whole(world)


def test_a_damaged_version_is_refused_before_anything_changes(world: World) -> None:
    version = challenger(world)
    path = world.root / "versions" / f"{version.tensors_sha256}.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CorruptArtifact):
        approve(world.context, version.id, "ada", "looks good")
    assert in_force(world) == version.parent and len(world.store.registry.audit()) == 2
    path.write_bytes(whole)


@pytest.fixture
def folder(waiting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(waiting, tmp_path / "state")
    configuration = {"encoder": {"name": "forensic"}, "store": {"directory": str(tmp_path / "state")}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out) if status == 0 else None


def test_the_commands_work_beside_a_service_that_holds_the_state(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = {version["state"] for version in said(capsys, "models", "list")}
    assert states == {"promoted", "waiting"}
    with StateLock(folder / "state", datetime.now(UTC)):
        assert run(["models", "approve", "challenger", "--reason", "  "]) == 2
        assert run(["models", "approve", "v0009-ffffffff", "--reason", "it"]) == 65
        done = said(capsys, "models", "approve", "challenger", "--reason", "seen")
    with open_store(folder / "state", read_only=True) as store:
        champion = store.registry.champion()
        assert champion is not None and champion.id == done["version"]
        assert any(run.job == "cycle" and run.state == "waiting" for run in store.runs.latest())
    assert run(["models", "reject", done["version"], "--reason", "too late"]) == 65
    assert run(["verify"]) == 0
    assert all(name in said(capsys, "models", "card", "champion")["card"] for name in (*KNOWN, NEW))
