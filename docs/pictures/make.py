"""Makes the README's pictures from a real run of the demo: the terminal as SVG, the status page as PNG.

    python docs/pictures/make.py [--seed N] [--chromium PATH]

Needs chromium for the page. Nothing is drawn by hand: what the pictures show is what the demo printed and served.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from daemon.commands.demo import introduce, teller
from daemon.demo import prepare, tell_story
from daemon.telemetry import configure_logs
from daemon.views import Status

HERE = Path(__file__).parent
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1150",
]


def photograph_page(chromium: str, url: str, target: Path) -> None:
    """A screenshot of a page."""
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium, *FLAGS, f"--user-data-dir={profile}", f"--screenshot={target}", url]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


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
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "sidwatch-demo"
        settings = prepare(state, arguments.seed, 0)
        introduce(console, Path("sidwatch-demo"), arguments.seed)
        story = teller(console, lambda what, done, total: None, exit_after=True)

        def page(url: str) -> None:
            urls.append(url)
            story.page("http://127.0.0.1:8600")

        def end(status: Status) -> None:
            story.end(status)
            photograph_page(arguments.chromium, urls[0] + "/", HERE / "page.png")

        tell_story(settings, replace(story, page=page, end=end), threading.Event(), go_on=False)
    console.save_svg(str(HERE / "demo.svg"), title="sidwatch demo")
    return 0


if __name__ == "__main__":
    sys.exit(main())
