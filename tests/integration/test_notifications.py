"""Messages to people outside, from the change of state to the channel, across kills and failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from daemon.app import sources_of
from daemon.cycle import run_cycle
from daemon.errors import TemporaryError
from daemon.model import Event, OutboxMessage, OutboxRow
from daemon.notify import examples
from daemon.notify.delivering import LONGEST_WAIT, deliver, is_due
from daemon.notify.message import Message, Picture
from daemon.notify.notifying import notify
from daemon.settings import NotifySettings, WebhookSettings
from daemon.status.snapshot import snapshot
from store.state import Store, open_store
from tests.integration.world import ADAPTER, NEW, World, beginning, candidate


@dataclass
class Channel:
    """Keeps what it took; refuses when told."""

    name: str = "team"
    recipients: tuple[str, ...] = ("",)
    kinds: tuple[str, ...] | None = None
    refuses: tuple[str, ...] = ()  # recipients that nothing can be sent to
    took: list[tuple[str, Message, Sequence[Picture]]] = field(default_factory=list)
    dies: bool = False  # right after it took a message

    def send(self, message: Message, pictures: Sequence[Picture], recipient: str) -> None:
        if recipient in self.refuses:
            raise TemporaryError(f"{self.name}: answered 503")
        self.took.append((recipient, message, pictures))
        if self.dies:
            raise Killed


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures of this world are none: what a child would make of them is a mark."""
    monkeypatch.setattr(examples, "thumbnails", lambda contents, intake: [b"small " + content for content in contents])


def world_with(folder: Path, *channels: Channel) -> World:
    world = World(folder)
    world.context = replace(world.context, channels=channels)
    return world


def evading(folder: Path, *channels: Channel) -> World:
    """A world in which the newcomer has just been proved to evade and was learned."""
    world = world_with(folder, *channels)
    world.inbox.put(beginning())
    world.until_idle()
    world.inbox.put(candidate(NEW, i) for i in range(40))
    world.until_idle()
    return world


def test_one_message_for_each_change_of_state_with_figures_evidence_and_three_examples(tmp_path: Path) -> None:
    team = Channel()
    world = evading(tmp_path / "state", team)
    assert deliver(world.context) == len(team.took) > 0
    changes = [m for _, m, _ in team.took if m.kind == "family_state_changed" and m.facts["family"] == NEW]
    assert [(m.facts.get("before"), m.facts["after"]) for m in changes] == [
        (None, "inverted"),
        ("inverted", "detected"),
    ]
    alarm = changes[0]
    figures = alarm.facts["figures"]["raw"]
    assert figures["ap_lower"] <= figures["ap"] <= figures["ap_upper"]
    assert figures["n"] == 40
    assert alarm.facts["log10_evidence"] >= alarm.facts["log10_alarm"]
    assert not [m for _, m, _ in team.took if m.kind == "family_evades"]  # the change of state said so
    assert len({m.id for _, m, _ in team.took}) == len(team.took)
    pictures = next(p for _, m, p in team.took if m.id == alarm.id)
    assert len(pictures) == len({p.sha256 for p in pictures}) == 3
    assert all(p.content.startswith(f"small {NEW}:".encode()) for p in pictures)
    logits = {
        row.logit for row in world.context.samples.scored_rows(alarm.facts["version"], "raw") if row.subject.name == NEW
    }
    assert pictures[0].logit == round(min(logits), 3)  # the one that looks most real
    assert deliver(world.context) == 0


def test_people_hear_of_an_alarm_before_it_is_learned(tmp_path: Path) -> None:
    fresh = world_with(tmp_path / "other")
    fresh.inbox.put(beginning())
    fresh.until_idle()
    fresh.inbox.put(candidate(NEW, i) for i in range(40))
    at_notice: list[tuple[list[str], str | None]] = []

    def look() -> None:
        champion = fresh.context.registry.champion()
        at_notice.append(([event.kind for event in fresh.told], champion.id if champion else None))

    run_cycle(fresh.context, [ADAPTER], handed_over=look)
    (kinds, champion_then), *_ = at_notice
    assert "family_evades" in kinds and "family_state_changed" in kinds
    now = fresh.context.registry.champion()
    assert now is not None and now.id != champion_then


def test_what_fails_waits_longer_each_time_and_is_sent_in_order_once_it_can_be(tmp_path: Path) -> None:
    team = Channel(refuses=("",))
    world = evading(tmp_path / "state", team)
    waiting = [row.message["id"] for row in world.context.samples.outbox(["team"])]
    assert deliver(world.context) == 0
    (counts,) = world.context.samples.outbox_counts()
    assert (counts.waiting, counts.sent, counts.failures, counts.error) == (len(waiting), 0, 1, "team: answered 503")
    assert deliver(world.context) == 0  # not due yet: not tried
    assert world.context.samples.outbox_counts()[0].failures == 1
    team.refuses = ()
    world.clock.after_cycle()  # a day later
    assert deliver(world.context) == len(waiting)
    assert [message.id for _, message, _ in team.took] == waiting
    (counts,) = world.context.samples.outbox_counts()
    assert (counts.waiting, counts.sent, counts.oldest, counts.error) == (0, len(waiting), None, "")


def test_one_recipient_that_cannot_be_reached_delays_nobody_else(tmp_path: Path) -> None:
    mail, team = Channel("mail", ("gone@x.org", "here@x.org"), refuses=("gone@x.org",)), Channel()
    world = evading(tmp_path / "state", mail, team)
    deliver(world.context)
    assert {recipient for recipient, _, _ in mail.took} == {"here@x.org"}
    assert [m.id for _, m, _ in mail.took] == [m.id for _, m, _ in team.took]


def test_a_kill_between_sending_and_recording_repeats_under_the_same_id_and_loses_nothing(tmp_path: Path) -> None:
    team = Channel(dies=True)
    world = evading(tmp_path / "state", team)
    waiting = [row.message["id"] for row in world.context.samples.outbox(["team"])]
    for _ in range(3):
        with pytest.raises(Killed):
            deliver(world.context)
        world.store.close()
        world.open()
        world.context = replace(world.context, channels=(team,))
    team.dies = False
    deliver(world.context)
    ids = [message.id for _, message, _ in team.took]
    assert ids[:4] == [waiting[0]] * 4
    assert list(dict.fromkeys(ids)) == waiting
    assert len(ids) == len(waiting) + 3


def test_a_channel_is_told_of_the_kinds_that_it_asked_for(tmp_path: Path) -> None:
    pager = Channel("pager", kinds=("family_evades",))
    world = evading(tmp_path / "state", pager)
    deliver(world.context)
    assert [message.kind for _, message, _ in pager.took] == ["family_evades"]


def test_a_channel_that_comes_later_is_not_told_of_what_is_past(tmp_path: Path) -> None:
    world = evading(tmp_path / "state")
    late = Channel()
    world.context = replace(world.context, channels=(late,))
    notify(world.context)
    assert deliver(world.context) == 0


def test_a_picture_that_was_forgotten_meanwhile_is_left_out(tmp_path: Path) -> None:
    team = Channel()
    world = evading(tmp_path / "state", team)
    row = next(r for r in world.context.samples.outbox(["team"]) if r.message["examples"])
    gone = row.message["examples"][0]["sha256"]
    next(path for path in world.root.rglob(f"*{gone}*") if path.is_file()).unlink()
    deliver(world.context)
    pictures = next(p for _, m, p in team.took if m.id == row.message["id"])
    assert [p.sha256 for p in pictures] == [e["sha256"] for e in row.message["examples"][1:]]


def test_the_event_is_marked_and_its_messages_are_there_together_or_not_at_all(tmp_path: Path) -> None:
    store: Store = open_store(tmp_path / "state")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    store.samples.add_event(Event(None, "k", "test", at, "t", {}))
    (event,) = store.samples.unsent_events()
    assert event.id is not None
    twice = OutboxMessage("team", "", {"id": "1"})
    with pytest.raises(Exception, match=r"(?i)unique"):
        store.samples.hand_over(event.id, [twice, twice], at)
    assert store.samples.unsent_events() == [event]
    assert store.samples.outbox(["team"]) == []
    for _ in range(2):  # the second time it is handed over already
        store.samples.hand_over(event.id, [twice], at)
    assert len(store.samples.outbox(["team"])) == 1
    assert store.samples.unsent_events() == []
    store.close()


def test_a_clock_that_was_set_back_makes_nothing_wait_for_years() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    row = OutboxRow(1, "team", "", {}, 3, now + timedelta(minutes=1))
    assert not is_due(row, now)
    assert is_due(row, now + timedelta(minutes=1))
    assert is_due(replace(row, next_attempt_at=now + LONGEST_WAIT + timedelta(days=3650)), now)


def test_the_snapshot_shows_every_configured_channel(tmp_path: Path) -> None:
    team = Channel(refuses=("",))
    world = evading(tmp_path / "state", team)
    deliver(world.context)
    webhook = WebhookSettings(name="team", kind="webhook", url=SecretStr("http://h/"), secret=SecretStr("s" * 16))
    idle = webhook.model_copy(update={"name": "idle"})
    settings = world.settings.model_copy(update={"notify": NotifySettings(channels=(webhook, idle))})
    shown = {c.channel: c for c in snapshot(sources_of(settings, world.store), "ready", world.clock.now()).channels}
    assert shown["team"].error == "team: answered 503"
    assert shown["team"].waiting > 0
    assert (shown["idle"].waiting, shown["idle"].sent) == (0, 0)
