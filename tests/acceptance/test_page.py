"""The pages of a running daemon on the demo's data, in a real browser: each page, each action, nothing to complain of.

The demo is stopped before its new family is known to evade; `sidwatch run` goes on with its store, with a token and
promotion by hand. So there is an open episode and a version that waits for a person.
"""

from __future__ import annotations

import io
import json
import shutil
import signal
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from adapters.base import Candidate
from adapters.simulated import SimulatedAdapter, SimulatedOptions
from tests.acceptance.command import Running, free_port, sidwatch
from tests.browser import DESK, PHONE, Tab, launched, opened

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1500)]

SEED = 7
NEW = "sim_diffusion"
TOKEN = "a-token-of-the-test"
STATE = Path("sidwatch-demo")
LATER = datetime(2030, 1, 3, tzinfo=UTC)  # the day before the alarm
WAIT = 600.0  # s until something that takes a few seconds on a machine of one's own


class Daemon:
    """`sidwatch run` on a store, and what it says of itself."""

    def __init__(self, folder: Path, every: str = "1d") -> None:
        """every: how often the world is polled; with 1d once, at the start."""
        self.folder = folder
        self.port = free_port()
        config = yaml.safe_load((folder / STATE / "config.yaml").read_text())
        config["http"] = {"port": self.port, "tokens": [_token("ada")]}
        config["promotion"] = {"mode": "manual"}
        config["schedule"] = {"cycle_every": "5s"}
        config["adapters"][0]["every"] = every
        (folder / STATE / "run.yaml").write_text(yaml.safe_dump(config))
        self.running = Running("run", "--config", STATE / "run.yaml", folder=folder, port=self.port)
        end = time.monotonic() + WAIT
        while self.running.get("/-/ready")[0] != 200:  # how fast is for other tests to say
            assert not self.running.ended and time.monotonic() < end, self.running.err[-3000:]
            time.sleep(0.5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        end = time.monotonic() + WAIT
        while (found := self.running.get(path))[0] != 200:
            assert not self.running.ended and time.monotonic() < end, f"{path}: {found} {self.running.err[-2000:]}"
            time.sleep(0.5)
        return json.loads(found[1])

    def until(self, what: str, found: Callable[[dict[str, Any]], Any]) -> Any:
        """What the snapshot says once it says it."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            value = found(self.get("/v1/status"))
            if value:
                return value
            time.sleep(1.0)
        raise AssertionError(f"{what}: not within {WAIT:g} s; {self.running.err[-2000:]}")

    def push(self, picture: bytes, **said: str) -> dict[str, Any]:
        """Deliver a picture through the API."""
        edge = uuid.uuid4().hex
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in said.items()
        ]
        head = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'.encode()
        body = b"".join([*parts, head, picture, f"\r\n--{edge}--\r\n".encode()])
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": f"multipart/form-data; boundary={edge}"}
        request = urllib.request.Request(self.url + "/v1/samples", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            told: dict[str, Any] = json.loads(answer.read())
        return told

    def end(self) -> None:
        """SIGTERM; it must end well."""
        self.running.process.send_signal(signal.SIGTERM)
        assert self.running.process.wait(60) == 0, self.running.err[-3000:]


def _token(name: str) -> dict[str, Any]:
    return {"name": name, "token": TOKEN, "scopes": ["operate", "ingest"]}


def delivered() -> list[Candidate]:
    """Pictures that the demo has taken in, byte for byte."""
    config = SimulatedOptions(seed=SEED, days=400)
    batch = next(iter(SimulatedAdapter("world", config).poll(None, 24, LATER)))
    return list(batch.candidates)


def saved_anew(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as picture:
        written = io.BytesIO()
        picture.convert("RGB").save(written, "JPEG", quality=95)
    return written.getvalue()


def waiting_version(status: dict[str, Any]) -> str | None:
    return next((version["id"] for version in status["versions"] if version["state"] == "waiting"), None)


def episode_of(status: dict[str, Any]) -> Any:
    return next((one for one in status["episodes"] if one["family"] == NEW), None)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of a daemon that ended well while a version waited for a person."""
    folder = tmp_path_factory.mktemp("waiting")
    port = free_port()
    with Running("demo", "--seed", str(SEED), "--port", str(port), folder=folder, port=port) as demo:
        end = time.monotonic() + 2 * WAIT
        while time.monotonic() < end:
            assert not demo.ended, demo.err[-3000:]
            status, body = demo.get("/v1/status")
            if status == 200 and datetime.fromisoformat(json.loads(body)["service"]["now"]) >= LATER:
                break
            time.sleep(0.2)
        demo.process.send_signal(signal.SIGTERM)
        demo.process.wait(60)
    daemon = Daemon(folder, every="1s")
    try:
        daemon.until("a version that waits", waiting_version)
        daemon.end()
    finally:
        daemon.running.kill()
    return folder


@pytest.fixture(scope="module")
def daemon(waiting: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon on that store, with two pictures in quarantine for each of two reasons."""
    folder = tmp_path_factory.mktemp("daemon")
    shutil.copytree(waiting / STATE, folder / STATE)
    found = Daemon(folder)
    try:
        known = delivered()
        for number, one in enumerate(known):
            assert one.content is not None
            if number < 2:
                told = found.push(one.content, label="synthetic", family="sim_nearest", source="elsewhere")
                assert (told["outcome"], told["reason"]) == ("quarantined", "label_conflict")
            else:  # where it falls on the other side of the holdout, it must not count twice
                found.push(saved_anew(one.content), label=str(one.label), source="elsewhere", group=f"anew {number}")
        found.until("near-duplicates", lambda status: status["quarantine"].get("near_duplicate", 0) >= 2)
        yield found
    finally:
        found.running.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def tab(browser: Any, daemon: Daemon, request: pytest.FixtureRequest) -> Iterator[Tab]:
    with opened(browser, daemon.url, getattr(request, "param", DESK)) as found:
        yield found


@pytest.mark.parametrize("tab", [DESK, PHONE], indirect=True, ids=["desk_light", "phone_dark"])
def test_every_page_that_a_link_leads_to_serves_everybody(tab: Tab) -> None:
    ahead, seen, faults = ["/", "/versions", "/episodes", "/intake", "/try"], set[str](), {}
    while ahead:
        path = ahead.pop(0)
        if path in seen:
            continue
        seen.add(path)
        tab.open(path)
        if found := tab.faults():
            faults[path] = found
        links = tab.page.eval_on_selector_all("main a[href^='/']", "all => all.map(one => one.getAttribute('href'))")
        ahead += [link for link in links if not link.startswith(("/v1/", "/metrics", "/-/", "/?"))]
    assert faults == {}
    assert tab.complaints == []
    for kind in ("/families/", "/versions/", "/episodes/"):
        assert any(path.startswith(kind) for path in seen), f"no link leads to {kind}: {sorted(seen)}"


def test_the_pages_show_the_demo_and_its_pictures(tab: Tab) -> None:
    tab.open("/")
    assert "Simulation" in tab.page.locator("[role=note]").first.inner_text()
    assert tab.page.locator(".card.alert").get_by_role("link", name=NEW).count() == 1
    tab.page.locator("#families").get_by_role("link", name=NEW, exact=True).click()
    tab.page.locator("h1", has_text=NEW).wait_for()
    pictures = tab.page.locator(".gallery img")
    pictures.first.scroll_into_view_if_needed()
    assert pictures.first.evaluate("(one) => one.decode().then(() => one.naturalWidth)") > 0
    drawn = "(all) => all.every((one) => one.shadowRoot.querySelectorAll('canvas').length === 1)"
    tab.page.locator("sid-plot").nth(1).wait_for()
    assert tab.page.eval_on_selector_all("sid-plot", drawn)
    assert tab.complaints == []


def test_a_picture_is_judged(tab: Tab, tmp_path: Path) -> None:
    content = delivered()[0].content
    assert content is not None
    path = tmp_path / "picture"
    path.write_bytes(content)
    tab.open("/try")
    tab.page.locator("#picture").set_input_files(path)
    tab.page.get_by_role("button", name="Judge").click()
    tab.page.locator("#judged .verdict").wait_for()
    assert tab.faults() == []
    assert tab.complaints == []


def test_every_word_about_the_quarantine_is_kept(tab: Tab, daemon: Daemon) -> None:
    def act(reason: str, button: str) -> str:
        tab.open("/intake")
        row = tab.page.locator(".samples > li", has_text=reason).first
        name = row.get_attribute("id")
        row.get_by_role("button", name=button).click()
        return str(name)

    def gone(name: str) -> None:
        tab.page.locator(f"#{name}").wait_for(state="detached")

    before = daemon.get("/v1/status")["quarantine"]
    said = act("label conflict", "Say what it is")
    dialog = tab.page.locator("#ask")
    dialog.get_by_label("The picture is").select_option("real")
    assert tab.faults() == []
    tab.confirm(TOKEN, "seen by hand")
    gone(said)
    discarded = act("label conflict", "Discard")
    tab.confirm(TOKEN, "nobody knows")
    gone(discarded)
    released = act("near duplicate", "Release")
    tab.confirm(TOKEN, "tried again")
    tab.page.locator("#said").get_by_text(released.removeprefix("q-")).wait_for()
    after = daemon.get("/v1/status")["quarantine"]
    assert (before["label_conflict"], after.get("label_conflict", 0)) == (2, 0)
    assert tab.complaints == []


def test_an_episode_is_acknowledged_and_snoozed_by_name(tab: Tab, daemon: Daemon) -> None:
    number = episode_of(daemon.get("/v1/status"))["id"]
    tab.open(f"/episodes/{number}")
    tab.page.get_by_role("button", name="Acknowledge").click()
    tab.confirm("not the token at all", "ticket 4711")
    tab.page.locator("#ask-failed", has_text="token").wait_for()
    assert [text for text in tab.complaints if "401" not in text] == []
    tab.complaints.clear()
    tab.confirm(TOKEN, "ticket 4711")
    tab.page.get_by_text("acknowledged by ada").first.wait_for()
    tab.page.get_by_role("button", name="Snooze").click()
    tab.page.locator("#ask").get_by_label("For how long").fill("300d")
    tab.confirm(TOKEN, "the vendor mends it")
    daemon.until("a snoozed episode", lambda status: episode_of(status)["handling"] == "snoozed")
    assert episode_of(daemon.get("/v1/status"))["acknowledged_by"] == "ada"
    assert tab.complaints == []


def test_a_version_is_approved_rolled_back_and_its_episode_closed(tab: Tab, daemon: Daemon) -> None:
    version = waiting_version(daemon.get("/v1/status"))
    before = daemon.get("/v1/status")["champion"]["id"]
    tab.open(f"/versions/{version}")
    tab.page.get_by_role("button", name="Approve").click()
    tab.confirm(TOKEN, "figures looked at")
    tab.page.locator(".badge.champion").wait_for()
    assert daemon.get("/v1/status")["champion"]["id"] == version
    tab.open("/versions")
    tab.page.get_by_role("button", name="Roll back").click()
    tab.confirm(TOKEN, "not yet")
    daemon.until("the version before", lambda status: status["champion"]["id"] == before)
    number = daemon.until("an episode that is open again", _open_episode)
    tab.open(f"/episodes/{number}")
    tab.page.get_by_role("button", name="Close").click()
    tab.confirm(TOKEN, "known")
    daemon.until("a closed episode", lambda status: _by_number(status, number)["state"] == "closed")
    assert tab.complaints == []
    daemon.end()
    told = sidwatch("verify", "--json", "--config", STATE / "run.yaml", folder=daemon.folder).json
    assert told["ok"] is True


def test_a_version_is_rejected(browser: Any, waiting: Path) -> None:
    daemon = Daemon(waiting)
    try:
        version = waiting_version(daemon.get("/v1/status"))
        champion = daemon.get("/v1/status")["champion"]["id"]
        with opened(browser, daemon.url, DESK) as tab:
            tab.open(f"/versions/{version}")
            tab.page.get_by_role("button", name="Reject").click()
            tab.confirm(TOKEN, "wait for a second source")
            tab.page.locator(".badge.rejected").first.wait_for()
            assert tab.complaints == []
        assert daemon.get("/v1/status")["champion"]["id"] == champion
        daemon.end()
    finally:
        daemon.running.kill()


def _open_episode(status: dict[str, Any]) -> int | None:
    found = [one["id"] for one in status["episodes"] if one["family"] == NEW and one["state"] == "alarmed"]
    return found[-1] if found else None


def _by_number(status: dict[str, Any], number: int) -> Any:
    return next(one for one in status["episodes"] if one["id"] == number)
