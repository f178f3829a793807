"""A headless Chromium that notes whatever a page complains of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

CHROMIUM = os.environ.get("SIDWATCH_CHROMIUM") or shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"]
PATIENCE = 120_000  # ms that the page may take to show something; nothing measures it
DESK = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}


@dataclass
class Tab:
    """A page, and what its console and its requests complained of."""

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Show a page, and wait until it has asked for everything that it shows."""
        from playwright.sync_api import expect

        self.page.goto(self.url + path)
        expect(self.page.locator("[aria-busy]")).to_have_count(0, timeout=PATIENCE)
        self.page.wait_for_load_state("networkidle")

    def serious_faults(self) -> list[str]:
        """What axe-core finds of serious or critical impact."""
        from axe_playwright_python.sync_playwright import Axe

        said = list(self.complaints)
        found = Axe().run(self.page).response["violations"]
        self.complaints[:] = said  # the checker styles what it injects, which the page's own policy forbids
        return [
            f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in ("serious", "critical")
        ]

    def faults(self) -> list[str]:
        """Serious faults, and whether the page is wider than the screen."""
        wider = self.page.evaluate("document.documentElement.scrollWidth - innerWidth") > 0
        return [*self.serious_faults(), *(["wider than the screen"] if wider else [])]

    def confirm(self, token: str, reason: str) -> None:
        """Answer the dialog that an action asks with."""
        dialog = self.page.locator("#ask")
        dialog.get_by_label("Why").fill(reason)
        dialog.get_by_label("Token").fill(token)
        dialog.get_by_role("button", name="Confirm").click()


@contextmanager
def launched() -> Iterator[Any]:
    """The browser; the test is skipped where there is none, unless SIDWATCH_REQUIRE_TEST_DATA is 1."""
    if CHROMIUM is None:
        if os.environ.get("SIDWATCH_REQUIRE_TEST_DATA") == "1":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed; SIDWATCH_CHROMIUM names it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@contextmanager
def opened(browser: Any, url: str, look: dict[str, Any]) -> Iterator[Tab]:
    """A tab of its own: no cookies, nothing remembered."""
    context = browser.new_context(**look)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    tab = Tab(page, url)
    page.on("console", lambda message: message.type == "error" and tab.complaints.append(message.text))
    page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    page.on("response", lambda got: got.status >= 400 and tab.complaints.append(f"{got.status} {got.url}"))

    def failed(request: Any) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):  # a page that is left lets go what it had asked for
            tab.complaints.append(f"{request.failure} {request.url}")

    page.on("requestfailed", failed)
    yield tab
    context.close()
