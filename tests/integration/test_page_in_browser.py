"""The pages in a real browser, on a real store and server: what is shown, what is done, and that all can use it."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import SecretStr

from daemon.explain.layout import FeatureGroup, Layout
from daemon.model import Candidate, Profile
from daemon.service import Service
from daemon.settings import EncoderSettings, Settings, StoreSettings, TokenSettings
from daemon.web import WebServer, create_app
from daemon.wiring import make_telemetry
from tests.browser import DESK, PHONE, Tab, launched, opened
from tests.integration.world import ADAPTER, DIMENSION, NEW, Encoder, World, beginning, candidate

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

TOKEN = "a-token-of-the-test"
_SEPARATOR = b"\n#"


def picture(name: str, index: int) -> bytes:
    """A PNG that a decoder can read, and that says behind its end whose it is."""
    random = np.random.default_rng(zlib.crc32(f"{name}:{index}".encode()))
    written = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (96, 96, 3), dtype=np.uint8)).save(written, "PNG")
    return written.getvalue() + _SEPARATOR + f"{name}:{index}".encode()


@dataclass
class PictureEncoder(Encoder):
    """Reads what stands behind the end of the picture."""

    def _encode(self, content: bytes, profile: Profile) -> NDArray[np.float32]:
        return super()._encode(content.rpartition(_SEPARATOR)[2], profile)


def pictured(one: Candidate) -> Candidate:
    name, _, index = one.uri.partition("/")
    return replace(one, content=picture(name, int(index)))


@dataclass(frozen=True)
class Site:
    """A served world with an open episode and a sample in quarantine."""

    url: str
    world: World
    service: Service
    conflict: str  # sha256


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    patch = pytest.MonkeyPatch()
    groups = tuple(FeatureGroup(f"features_{n}", slice(4 * n, 4 * n + 4)) for n in range(DIMENSION // 4))
    for module in ("family", "making"):  # the world's encoder has columns of its own
        patch.setattr(f"daemon.explain.{module}.layout_of", lambda encoder, dimension: Layout(groups, None))
    root = tmp_path_factory.mktemp("site") / "state"
    world = World(
        root,
        settings=Settings(
            adapters=(ADAPTER,), encoder=EncoderSettings(name="forensic"), store=StoreSettings(directory=root)
        ),
        kinds={"forensic": PictureEncoder()},
    )
    world.inbox.put(pictured(one) for one in beginning())
    world.until_idle()
    world.inbox.put(pictured(candidate(NEW, index)) for index in range(30))
    world.until_idle()
    known = pictured(candidate("old_gan", 0))
    world.inbox.put([replace(known, uri="elsewhere/0", label="real", family=None, source="camera_a")])
    world.until_idle()
    telemetry = make_telemetry(world.settings)
    service = Service(world.context, telemetry, simulated=True)
    service.refresh(restore=True)
    service.state = "ready"
    tokens = [TokenSettings(name="ada", token=SecretStr(TOKEN), scopes=("operate",))]
    server = WebServer(create_app(service, tokens=tokens), "127.0.0.1", 0)
    server.start()
    (conflict,) = world.store.samples.quarantined(9)
    try:
        yield Site(server.url, world, service, conflict.sha256)
    finally:
        server.stop(2.0)
        world.store.close()
        patch.undo()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def tab(browser: Any, site: Site, request: pytest.FixtureRequest) -> Iterator[Tab]:
    with opened(browser, site.url, getattr(request, "param", DESK)) as found:
        yield found


@pytest.mark.parametrize("tab", [DESK, PHONE], indirect=True, ids=["desk_light", "phone_dark"])
def test_every_page_serves_everybody_on_every_screen(tab: Tab, site: Site) -> None:
    champion = site.service.status().champion
    assert champion is not None
    pages = [
        "/",
        f"/families/{NEW}",
        "/versions",
        f"/versions/{champion.id}",
        "/episodes",
        "/episodes/1",
        "/intake",
        "/try",
    ]
    faults = {}
    for path in pages:
        tab.open(path)
        if found := tab.faults():
            faults[path] = found
    assert faults == {}
    assert tab.complaints == []


def test_a_family_shows_curves_pictures_and_what_sets_it_apart(tab: Tab) -> None:
    tab.open(f"/families/{NEW}")
    plots = tab.page.locator("sid-plot")
    # the version that learned it has judged nothing of it since, so there may be no evidence to draw, and that is said
    without = tab.page.get_by_text("No test of it runs against the champion")
    assert plots.count() + without.count() == 3 and plots.count() >= 2
    for number in range(plots.count()):
        assert plots.nth(number).evaluate("(one) => one.shadowRoot.querySelectorAll('canvas').length") == 1
    shown = tab.page.locator(".gallery img")
    assert shown.count() == 12
    shown.first.scroll_into_view_if_needed()
    assert shown.first.evaluate("(one) => one.decode().then(() => one.naturalWidth)") == 96
    assert tab.page.get_by_role("heading", name="What sets it apart").is_visible()
    assert tab.complaints == []


def test_the_table_is_sorted_and_searched_by_keyboard_alone(tab: Tab) -> None:
    tab.open("/")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    tab.page.locator("#sort-name").focus()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/?sort=name")
    names = tab.page.locator("#families tbody th .name").all_inner_texts()
    assert names == sorted(names)
    tab.page.get_by_label("Name").fill("other")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**q=other**")
    assert tab.page.locator("#families tbody th .name").all_inner_texts() == ["other_gan"]
    assert tab.complaints == []


def test_what_changes_is_seen_without_loading_again_and_what_is_open_stays_open(tab: Tab, site: Site) -> None:
    tab.open("/")
    before = tab.page.locator("#live .page-head time").inner_text()
    site.world.clock.after_cycle()
    site.service.refresh()
    tab.page.locator("#live .page-head time", has_not_text=before).wait_for()
    versions = site.service.status().versions
    tab.open(f"/versions/{versions[-1].id}")
    card = tab.page.locator("details", has_text="Model card").last
    card.locator("summary").click()
    tab.page.evaluate("htmx.trigger(document.getElementById('live'), 'refresh')")
    tab.page.wait_for_load_state("networkidle")
    assert card.get_attribute("open") is not None
    assert tab.complaints == []


def test_a_page_that_gets_no_answer_says_that_it_is_old(tab: Tab) -> None:
    tab.open("/")
    assert tab.page.locator("#lost").is_hidden()
    tab.page.route("**/*", lambda route: route.abort())
    tab.page.locator("#lost").wait_for(state="visible")
    assert tab.page.locator("#families tbody tr").count() > 0
    tab.page.unroute("**/*")
    tab.page.locator("#lost").wait_for(state="hidden")


def test_an_action_asks_why_and_for_the_token_and_says_what_came_of_it(tab: Tab, site: Site) -> None:
    tab.open("/episodes/1")
    tab.page.get_by_role("button", name="Acknowledge").click()
    dialog = tab.page.locator("#ask")
    assert "stops" in dialog.inner_text()
    dialog.get_by_label("Why").fill("ticket 4711")
    dialog.get_by_label("Token").fill("not the token at all")
    dialog.get_by_role("button", name="Confirm").click()
    tab.page.locator("#ask-failed", has_text="token").wait_for()
    assert site.world.store.samples.episodes()[0].acknowledged_at is None
    dialog.get_by_label("Token").fill(TOKEN)
    dialog.get_by_role("button", name="Confirm").click()
    tab.page.get_by_text("is acknowledged by ada").wait_for()
    assert site.world.store.samples.episodes()[0].acknowledged_by == "ada"
    assert tab.serious_faults() == []
    audit = site.world.store.registry.audit()[-1]
    assert (audit.action, audit.actor, audit.reason) == ("episode_ack", "ada", "ticket 4711")


def test_a_dialog_that_is_cancelled_changes_nothing_and_can_be_used_by_everybody(tab: Tab, site: Site) -> None:
    before = len(site.world.store.registry.audit())
    tab.open("/versions")
    tab.page.get_by_role("button", name="Roll back").click()
    assert tab.page.evaluate("document.activeElement.id") == "ask-reason"
    assert tab.serious_faults() == []
    tab.page.keyboard.press("Escape")
    tab.page.locator("#ask").wait_for(state="hidden")
    assert len(site.world.store.registry.audit()) == before


def test_a_person_s_word_ends_a_quarantine(tab: Tab, site: Site) -> None:
    tab.open("/intake")
    row = tab.page.locator(f"#q-{site.conflict[:12]}")
    assert "label conflict" in row.inner_text()
    assert row.locator("img").evaluate("(one) => one.decode().then(() => one.naturalWidth)") == 96
    row.get_by_role("button", name="Say what it is").click()
    dialog = tab.page.locator("#ask")
    dialog.get_by_label("The picture is").select_option("synthetic")
    dialog.get_by_label("Family").fill("old_gan")
    dialog.get_by_label("Why").fill("seen by hand")
    dialog.get_by_label("Token").fill(TOKEN)
    dialog.get_by_role("button", name="Confirm").click()
    tab.page.get_by_text("Nothing is in quarantine").wait_for()
    facts = site.world.store.samples.sample_facts(site.conflict)
    assert (facts.state, facts.family) == ("active", "old_gan")
    assert tab.complaints == []


def test_a_job_is_paused_and_resumed_and_every_page_says_so(tab: Tab, site: Site) -> None:
    from playwright.sync_api import expect

    runs = site.world.context.runs
    runs.tick("cycle", runs.last_tick("cycle") + 1, site.world.context.clock.now())
    site.service.refresh()
    tab.open("/intake")
    row = tab.page.locator("#jobs tr", has_text="cycle")
    row.get_by_role("button", name="Pause").click()
    tab.confirm(TOKEN, "the disk is moved")
    expect(row.get_by_role("button", name="Resume")).to_be_visible()
    assert tab.faults() == []
    tab.open("/")
    expect(tab.page.get_by_role("note").filter(has_text="Paused.")).to_contain_text("ada paused it, the disk is moved")
    tab.open("/intake")
    row.get_by_role("button", name="Resume").click()
    tab.confirm(TOKEN, "it is back")
    expect(row.get_by_role("button", name="Run now")).to_be_visible()
    assert [one.actor for one in site.world.store.registry.audit() if one.action.startswith("job_")] == ["ada", "ada"]
    assert tab.complaints == []


def test_a_dropped_picture_is_judged_with_its_reasons(tab: Tab, tmp_path: Path) -> None:
    tab.open("/try")
    chosen = tmp_path / "new.png"
    chosen.write_bytes(picture(NEW, 999))
    tab.page.locator("#picture").set_input_files(chosen)
    tab.page.locator("#preview").wait_for()  # visible
    tab.page.get_by_role("button", name="Judge").click()
    tab.page.locator("#judged .verdict", has_text="synthetic").wait_for()
    assert NEW in tab.page.locator("#judged").inner_text()
    assert tab.serious_faults() == []
    chosen.write_bytes(b"")
    tab.page.locator("#picture").set_input_files(chosen)
    tab.page.get_by_role("button", name="Judge").click()
    tab.page.locator("#judged [role=alert]", has_text="no bytes").wait_for()


def test_the_api_says_the_same_as_the_page(tab: Tab, site: Site) -> None:
    answer = tab.page.request.get(f"{site.url}/v1/families/{NEW}/history")
    points = json.loads(answer.text())["points"]
    assert points and points[-1]["ap"] > 0.9 > points[0]["ap"]
