"""What is pushed: acknowledged only once stored, fetched safely, of the encoder in force or of none."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sqlalchemy import select

from daemon.app import make_fetch
from daemon.context import Context
from daemon.errors import BadInputError, TemporaryError
from daemon.evaluate.outside import measure_outside
from daemon.intake.pushing import push_sample
from daemon.model import PUSH, Candidate, Pushed
from daemon.settings import PushSettings, Settings
from store import tables as t
from tests.integration.test_feedback import jpeg
from tests.integration.test_service import Service
from tests.integration.test_story import assert_whole
from tests.integration.world import DIMENSION, FINGERPRINT, World
from tests.unit.adapters.feed_server import Site, endless, serving


def never(url: str) -> bytes:
    raise AssertionError(f"{url} is fetched")


def push(context: Context, offered: Candidate, url: str | None = None, key: str | None = None, **more: Any) -> Pushed:
    return push_sample(context, offered, url, key, more.get("fetch", never))


def picture(name: str, **claim: Any) -> Candidate:
    return Candidate("", content=f"camera_a:{name}".encode(), **{"label": "real", "source": "camera_a", **claim})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "state")


def counts(world: World) -> tuple[int, int]:
    """Samples, deliveries."""
    with world.store.database.read() as connection:
        deliveries = len(connection.execute(select(t.delivery.c.id)).all())
    return world.store.samples.sample_counts()["total"], deliveries


def test_a_push_is_stored_with_all_that_was_said_and_its_receipt_is_given_again(world: World) -> None:
    offered = picture("1", group="g", caption="a cat", generation={"seed": 7}, licence="CC0-1.0", consent="ours")
    first = push(world.context, offered)
    assert (first.outcome, first.repeated) == ("stored", False)
    assert push(world.context, offered) == replace(first, repeated=True)
    other = push(world.context, replace(offered, caption="a dog"))
    assert (other.outcome, other.receipt != first.receipt) == ("known", True)
    d = t.delivery.c
    with world.store.database.read() as connection:
        row = connection.execute(select(t.delivery).where(d.id == first.receipt)).mappings().one()
    said = ("label", "group", "caption", "generation", "licence", "consent", "source", "trust")
    assert [row[name] for name in said] == [
        "real", "g", "a cat", '{"seed": 7}', "CC0-1.0", "ours", "camera_a", "known",
    ]  # fmt: skip
    assert world.store.samples.blob(first.sha256) == offered.content
    assert_whole(world)


def test_a_key_stands_for_one_sample(world: World) -> None:
    first = push(world.context, picture("1"), key="k 1".replace(" ", "-"))
    assert push(world.context, picture("1"), key="k-1") == replace(first, repeated=True)
    for other in (picture("2"), picture("1", label=None), picture("1", caption="more")):
        with pytest.raises(BadInputError, match="stands for another sample"):
            push(world.context, other, key="k-1")
    with pytest.raises(BadInputError, match="visible ASCII"):
        push(world.context, picture("1"), key="with space")
    assert counts(world) == (1, 1)


def test_an_address_is_fetched_once_and_its_failure_says_whether_to_come_again(world: World) -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return b"camera_a:fetched"

    claim = Candidate("", label="real", source="camera_a")
    done = push(world.context, claim, "https://x/1", fetch=fetch)
    assert (done.outcome, done.sha256) == ("stored", hashlib.sha256(b"camera_a:fetched").hexdigest())
    assert push(world.context, claim, "https://x/1", fetch=fetch).repeated
    assert asked == ["https://x/1"]

    def down(url: str) -> bytes:
        raise TemporaryError("later")

    with pytest.raises(TemporaryError):
        push(world.context, claim, "https://x/2", fetch=down)
    assert push(world.context, claim, "https://x/2", fetch=fetch).outcome == "known"
    assert counts(world) == (1, 2)


def test_what_cannot_be_used_is_refused_and_counted_and_nothing_is_fetched_for_a_bad_claim(world: World) -> None:
    broken = push(world.context, Candidate("", content=b"broken", label="real"))
    assert (broken.outcome, broken.reason) == ("rejected", "corrupt")
    again = push(world.context, Candidate("", content=b"broken", label="real"))
    assert (again.outcome, again.repeated) == ("rejected", True)
    family = Candidate("", label="real", family="flux_3")
    assert push(world.context, family, "https://x/1").reason == "bad_record"
    promised = replace(picture("1"), sha256="a" * 64)
    assert push(world.context, promised).reason == "digest_mismatch"
    with pytest.raises(BadInputError, match="caption holds characters"):
        push(world.context, picture("1", caption="\x00"))
    with pytest.raises(BadInputError, match="neither real nor synthetic"):
        push(world.context, picture("1", label="fake"))
    assert world.store.samples.sample_counts()["total"] == 0
    (row,) = [row for row in world.store.samples.adapters() if row.name == PUSH]
    assert row.rejected == {"bad_record": 1, "corrupt": 1, "digest_mismatch": 1}


def vector(**claim: Any) -> Candidate:
    values = np.arange(DIMENSION, dtype=np.float16)
    told = {"sha256": "a" * 64, "vector": values, "vector_fingerprint": FINGERPRINT, "label": "real"}
    return Candidate("", **{**told, **claim})


def test_vectors_are_of_the_encoder_in_force(world: World) -> None:
    assert push(world.context, vector()).outcome == "stored"
    for claim, told in (
        ({"vector_fingerprint": "e" * 64}, "in force is " + FINGERPRINT),
        ({"vector_fingerprint": None}, "in force is"),
        ({"vector": np.ones(3, np.float16)}, "the encoder's have 16"),
        ({"vector": np.full(DIMENSION, np.inf, np.float16)}, "not finite"),
    ):
        with pytest.raises(BadInputError, match=told):
            push(world.context, vector(sha256="b" * 64, **claim))
    rows = world.store.samples.labelled_vectors(FINGERPRINT, "raw")
    assert rows.vectors.tolist() == [list(range(DIMENSION))]
    assert_whole(world)


def test_scores_of_an_outside_detector_are_measured_beside_ours(world: World) -> None:
    for i in range(30):
        push(world.context, picture(str(i), outside_scores=(("rival", -1.0 - i / 100),)))
        fake = Candidate("", content=f"old_gan:{i}".encode(), label="synthetic", family="old_gan")
        sha256 = push(world.context, fake).sha256
        later = Candidate("", sha256=sha256, outside_scores=(("rival", 1.0 + i / 100),))
        assert push(world.context, later).outcome == "known"
    (row,) = measure_outside(world.context, "outside:rival")
    assert (row.subject.name, row.n, row.ap, row.auroc) == ("old_gan", 30, 1.0, 1.0)


def test_the_days_limit_holds_and_repeats_go_through(world: World) -> None:
    settings = world.context.settings.model_copy(update={"push": PushSettings(per_day=2)})
    context = replace(world.context, settings=settings)
    push(context, picture("1"))
    push(context, Candidate("", content=b"broken"))
    with pytest.raises(TemporaryError, match=r"push\.per_day"):
        push(context, picture("2"))
    assert push(context, picture("1")).repeated
    world.clock.after_cycle()
    assert push(context, picture("2")).outcome == "stored"


# --- as people meet it ------------------------------------------------------------------------------------


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}/a.jpg", "http://localhost:{port}/a.jpg", "file:///etc/passwd"]
)
def test_nothing_inside_is_fetched_unless_its_host_is_allowed(address: str, site: Site) -> None:
    with pytest.raises(BadInputError):
        make_fetch(Settings(adapters=()))(address.format(port=site.port))
    assert site.asked == []


@pytest.mark.accept
def test_a_running_service_takes_pushes_in(tmp_path: Path, site: Site) -> None:
    configuration = {
        "encoder": {"name": "forensic"},
        "http": {"port": 0, "ingest_token": "bring"},
        "intake": {"max_bytes": "100KiB"},
        "push": {"allowed_hosts": [f"127.0.0.1:{site.port}"]},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    with serving() as canary:
        site.answers |= {
            "/a.jpg": (200, {}, jpeg(1)),
            "/endless": endless,
            "/inside": (302, {"Location": canary.url("/secret")}, b""),
            "/html": (200, {}, b"<html>"),
            "/gone": (404, {}, b""),
        }
        service = Service(tmp_path)
        try:
            body = {"url": site.url("/a.jpg"), "label": "synthetic", "family": "flux_3"}
            code, told = sent(service, body, key="1")
            assert (code, told["outcome"], told["sha256"]) == (202, "stored", hashlib.sha256(jpeg(1)).hexdigest())
            assert sent(service, body, key="1") == (202, {**told, "repeated": True})
            assert site.paths() == ["/a.jpg"]
            for path, reason in (
                ("/endless", "too_many_bytes"),
                ("/inside", "bad_record"),
                ("/html", "format_not_allowed"),
                ("/gone", "unreadable"),
            ):
                code, refused = sent(service, {"url": site.url(path)})
                assert (refused.get("reason"), code) == (reason, 413 if reason == "too_many_bytes" else 422)
            assert canary.asked == []
            vector = {"sha256": "a" * 64, "vector": [1.0, 2.0], "vector_fingerprint": "e" * 64}
            assert "in force is" in sent(service, vector)[1]["detail"]
            service.wait_for_vectors(1, seconds=180)  # the cycle comes once a minute
        finally:
            service.process.kill()  # right after the acknowledgement: it is all there
            service.process.wait()
            assert service.process.stderr is not None
            service.process.stderr.close()
    listed = json.loads(service.command("status", "--json").stdout)
    (row,) = [adapter for adapter in listed["adapters"] if adapter["name"] == PUSH]
    assert (row["kind"], row["stored"]) == ("push", 1)
    assert sum(row["rejected"].values()) == 4
    assert json.loads(service.command("verify", "--json").stdout)["ok"]


def sent(service: Service, body: dict[str, Any], key: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"content-type": "application/json", "authorization": "Bearer bring"}
    if key:
        headers["idempotency-key"] = key
    request = urllib.request.Request(service.url + "/v1/samples", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
