"""Makes the pictures of README and docs from a real run of the demo: the terminal as SVG, the pages as PNG.

    python docs/pictures/make.py [--seed N] [--chromium PATH]

Needs chromium for the pages. Nothing is drawn by hand: what the pictures show is what the demo printed and served. Some
are taken at the moment of the alarm, the others when the story is told.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from rich.console import Console

from adapters.simulated import SimulatedAdapter, SimulatedOptions
from daemon.commands.demo import introduce, teller
from daemon.demo import START, prepare, tell_story
from daemon.model import Event
from daemon.telemetry import configure_logs
from daemon.views import Status

HERE = Path(__file__).parent
NEW = "sim_diffusion"  # the family that the story is about
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"]
COLOURS = 128  # of a picture: a third of the bytes, and nobody sees it
PATIENCE = 120_000  # ms
DESK = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2}

Prepared = Callable[[Page], None]


@dataclass(frozen=True)
class Shot:
    """One picture. name: of the file, without ending. most: of its height, CSS pixels."""

    name: str
    path: str
    look: dict[str, Any]
    most: int = 1400
    prepared: Prepared = lambda page: None


def ask(page: Page) -> None:
    """Open the dialog that a button of an episode asks with."""
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Why").fill("ticket 4711: the vendor's new model")


def judge(page: Page) -> None:
    """Drop a picture of the new family and wait for the verdict."""
    nothing = {"photographs_at_start": 0, "generated_at_start": 0, "photographs_per_day": 0, "known_per_day": 0}
    options = SimulatedOptions(seed=99, days=3, **nothing)  # of a world that the service has never seen
    batches = SimulatedAdapter("other", options).poll(None, 1, START + timedelta(days=3))
    content = next(one.content for batch in batches for one in batch.candidates)
    assert content is not None
    page.locator("#picture").set_input_files({"name": "new.png", "mimeType": "image/png", "buffer": content})
    page.get_by_role("button", name="Judge").click()
    page.locator("#judged .verdict").wait_for()


ALARMED = (
    Shot("alarm", "/", DESK, 1000),
    Shot("episode", "/episodes/1", DESK, 900, ask),
    Shot("phone", "/", PHONE, 844),
)
TOLD = (
    Shot("page", "/", DESK, 1150),
    Shot("dark", "/", {**DESK, "color_scheme": "dark"}, 1150),
    Shot("family", f"/families/{NEW}", DESK),
    Shot("versions", "/versions", DESK, 900),
    Shot("version", "/versions/{champion}", DESK, 1100),
    Shot("timeline", "/episodes/1", DESK, 900),
    Shot("intake", "/intake", DESK, 1200),
    Shot("try", "/try", DESK, 1100, judge),
)


def photograph(browser: Browser, url: str, champion: str, shots: tuple[Shot, ...]) -> None:
    """Take them. Raises playwright's errors, and RuntimeError when a page complains."""
    for shot in shots:
        context = browser.new_context(**shot.look)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message, said=complaints: message.type == "error" and said.append(message.text))
        page.on("pageerror", lambda error, said=complaints: said.append(str(error)))
        page.goto(url + shot.path.format(champion=champion))
        expect(page.locator("[aria-busy]")).to_have_count(0, timeout=PATIENCE)
        page.wait_for_load_state("networkidle")
        shot.prepared(page)
        page.wait_for_load_state("networkidle")
        if complaints:
            raise RuntimeError(f"{shot.path}: {complaints}")
        width = shot.look["viewport"]["width"]
        height = min(shot.most, page.evaluate("document.documentElement.scrollHeight"))
        clip: Any = {"x": 0, "y": 0, "width": width, "height": height}
        taken = page.screenshot(full_page=True, clip=clip, animations="disabled")
        keep(taken, HERE / f"{shot.name}.png")
        context.close()


def keep(png: bytes, target: Path) -> None:
    """Write a screenshot with few colours."""
    with Image.open(io.BytesIO(png)) as whole:
        whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


@contextmanager
def launched(chromium: str) -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def main() -> int:
    """Run the demo once and keep what it showed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--chromium", default=shutil.which("chromium") or "")
    arguments = parser.parse_args()
    if not arguments.chromium:
        sys.stderr.write("chromium is not installed; --chromium names it\n")
        return 78
    configure_logs("warning", "auto")
    console = Console(record=True, width=110, force_terminal=True)
    urls: list[str] = []
    with tempfile.TemporaryDirectory() as folder, launched(arguments.chromium) as browser:
        settings = prepare(Path(folder) / "sidwatch-demo", arguments.seed, 0)
        introduce(console, Path("sidwatch-demo"), arguments.seed)
        story = teller(console, lambda what, done, total: None, exit_after=True)

        def page(url: str) -> None:
            urls.append(url)
            story.page("http://127.0.0.1:8600")

        def event(happened: Event) -> None:
            story.event(happened)
            if happened.kind == "family_evades":
                photograph(browser, urls[0], "", ALARMED)

        def end(status: Status) -> None:
            story.end(status)
            assert status.champion is not None
            photograph(browser, urls[0], status.champion.id, TOLD)

        tell_story(settings, replace(story, page=page, event=event, end=end), threading.Event(), go_on=False)
    console.save_svg(str(HERE / "demo.svg"), title="sidwatch demo")
    return 0


if __name__ == "__main__":
    sys.exit(main())
