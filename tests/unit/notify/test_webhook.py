"""The webhook on promotion: signed, at least once, with the same id and bytes in every attempt."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from daemon.model import AuditRow
from daemon.notify.webhook import deliver, wait
from daemon.settings import WebhookSettings
from tests.integration.world import FINGERPRINT, START, World

SECRET = "sixteen characters at least"
HOOK = WebhookSettings(url=SecretStr("https://scoring.example/hook"), secret=SecretStr(SECRET))


@dataclass
class Receiver(httpx.MockTransport):
    """Answers with these statuses, then with 200; keeps what it was sent."""

    statuses: list[int] = field(default_factory=list)
    seen: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.seen.append(request)
        return httpx.Response(self.statuses.pop(0) if self.statuses else 200)

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.seen]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "state")
    world.context = replace(world.context, settings=world.settings.model_copy(update={"webhook": HOOK}))
    return world


def promoted(world: World, number: int) -> AuditRow:
    registry = world.store.registry
    before = registry.champion()
    record = registry.add_version(
        parent=None,
        fingerprint=FINGERPRINT,
        learner="closed_form",
        statistics_revision=0,
        manifest=b"{%d}" % number,
        tensors=b"t%d" % number,
        at=world.clock.now(),
    )
    return registry.promote(
        record.id,
        expected=before.id if before else None,
        actor="gate",
        reason="better, naïvely",
        verdict=None,
        at=world.clock.now(),
    )


def test_a_promotion_is_told_once_with_a_signature_that_the_receiver_can_check(world: World) -> None:
    first, second = promoted(world, 1), promoted(world, 2)
    receiver = Receiver()
    assert deliver(world.context, receiver) == "2 of 2 delivered"
    assert deliver(world.context, receiver) == ""
    assert receiver.ids == [first.hash, second.hash]
    request = receiver.seen[1]
    stamp = request.headers["webhook-timestamp"]
    assert int(stamp) == int(START.timestamp())
    signed = f"{second.hash}.{stamp}.".encode() + request.content
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    told = json.loads(request.content)
    assert (told["id"], told["type"]) == (second.hash, "champion.promoted")
    assert told["data"]["version"] == second.version and told["data"]["previous"] == first.version
    assert told["data"]["reason"] == "better, naïvely"


def test_what_fails_is_sent_again_later_with_the_same_id_and_bytes(world: World) -> None:
    row = promoted(world, 1)
    receiver = Receiver(statuses=[500, 302, 410])
    moments = []
    for _ in range(200):
        moments += [world.clock.now()] * (deliver(world.context, receiver) != "")
        world.clock.catch_up(world.clock.now() + timedelta(seconds=5))
    assert receiver.ids == [row.hash] * 4
    assert len({request.content for request in receiver.seen}) == 1
    assert [(after - before).seconds for before, after in pairwise(moments)] == [10, 20, 40]


def test_one_notice_that_is_refused_holds_up_no_other(world: World) -> None:
    first, second = promoted(world, 1), promoted(world, 2)
    receiver = Receiver(statuses=[400])
    assert deliver(world.context, receiver) == "1 of 2 delivered"
    assert receiver.ids == [first.hash, second.hash]


def test_a_receiver_that_cannot_be_reached_is_tried_again(world: World) -> None:
    promoted(world, 1)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    assert deliver(world.context, httpx.MockTransport(refuse)) == "0 of 1 delivered"
    world.clock.catch_up(START + timedelta(seconds=11))
    assert deliver(world.context, Receiver()) == "1 of 1 delivered"


def test_a_clock_that_was_set_back_delays_nothing(world: World) -> None:
    world.clock.catch_up(START + timedelta(days=3650))
    promoted(world, 1)
    due = world.store.registry.due_notices(START, 10)
    assert len(due) == 1


def test_without_a_webhook_nothing_waits_and_a_later_one_hears_of_later_promotions_only(world: World) -> None:
    promoted(world, 1)
    without = replace(world.context, settings=world.settings)
    assert deliver(without) == "1 skipped"
    row = promoted(world, 2)
    receiver = Receiver()
    deliver(world.context, receiver)
    assert receiver.ids == [row.hash]


def test_a_promotion_that_is_refused_tells_nobody(world: World) -> None:
    promoted(world, 1)
    registry = world.store.registry
    before = registry.due_notices(world.clock.now(), 10)
    with pytest.raises(Exception, match="champion already"):
        registry.promote(
            registry.versions()[0].id,
            expected=registry.versions()[0].id,
            actor="ada",
            reason="again",
            verdict=None,
            at=world.clock.now(),
        )
    assert registry.due_notices(world.clock.now(), 10) == before


def test_the_wait_grows_to_the_longest_and_stays_there() -> None:
    waits = [wait(n, timedelta(hours=1)) for n in range(40)]
    assert waits == sorted(waits) and waits[-1] == timedelta(hours=1)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"url": "ftp://x", "secret": SECRET}, "https://"),
        ({"url": "https://x"}, "secret"),
        ({"url": "https://x", "secret": "short"}, "16 characters"),
        ({"url": "https://x", "secret": SECRET, "longest_wait": "2d"}, "at most 1d"),
    ],
)
def test_a_webhook_that_cannot_work_is_refused(values: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        WebhookSettings.model_validate(values)
