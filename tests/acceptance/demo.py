"""The demo as these tests run it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.command import Running, free_port

SEEDS = "101-103"  # SIDWATCH_DEMO_SEEDS=0-19 runs twenty
CONFIG = Path("sidwatch-demo") / "config.yaml"


@dataclass(frozen=True)
class DemoRun:
    """A demo that ended by itself."""

    folder: Path  # that it ran in; its state is still there
    seed: int
    summary: dict[str, Any]
    pages: dict[str, set[int]]  # path -> HTTP statuses seen while it ran
    page: str  # the last status page
    metrics: str  # the last exposition
    seconds: float

    @property
    def pictures(self) -> set[str]:
        return pictures(self.folder)


def seeds() -> list[int]:
    """The seeds to try: `3`, `0-19` or `1,5,8-9`."""
    found: list[int] = []
    for part in os.environ.get("SIDWATCH_DEMO_SEEDS", SEEDS).split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def arguments(seed: int, port: int) -> list[str]:
    return ["demo", "--exit", "--json", "--seed", str(seed), "--port", str(port)]


def run_demo(folder: Path, seed: int) -> DemoRun:
    """Run one demo to its end, looking at its pages meanwhile."""
    began = time.monotonic()
    seen: dict[str, set[int]] = {path: set() for path in ("/", "/metrics", "/-/healthy", "/v1/status")}
    bodies = {"/": "", "/metrics": ""}
    port = free_port()
    with Running(*arguments(seed, port), folder=folder, port=port) as running:
        running.wait_ready()
        while not running.ended and time.monotonic() - began < 600:
            for path, statuses in seen.items():
                status, body = running.get(path)
                if status:
                    statuses.add(status)
                    bodies[path] = body
            time.sleep(1.0)
        assert running.ended, f"seed {seed}: the demo did not end within ten minutes"
        assert running.process.returncode == 0, f"seed {seed}: {running.err[-4000:]}"
        summary = json.loads(running.out)
    return DemoRun(folder, seed, summary, seen, bodies["/"], bodies["/metrics"], time.monotonic() - began)


def pictures(folder: Path) -> set[str]:
    """The sha256 of every picture in a demo's store, read past the service's own code."""
    database = folder / "sidwatch-demo" / "state" / "sidwatch.db"
    if not database.exists():
        return set()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sample'").fetchone():
            return set()
        return {row[0] for row in connection.execute("SELECT sha256 FROM sample")}


def finished(folder: Path) -> dict[str, Any] | None:
    """The summary that a demo recorded at its story's end; None: the story goes on when the demo is started again."""
    path = folder / "sidwatch-demo" / "finished"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def story_of(summary: dict[str, Any]) -> list[str]:
    """What went otherwise than the story; [] when it came out."""
    wrong = []
    families = summary["families"]
    episodes = {episode["family"]: episode for episode in summary["episodes"]}
    fourth = episodes.get("sim_diffusion")
    if fourth is None:
        wrong.append("sim_diffusion was never alarmed")
    else:
        if not fourth["ap_before"] < 0.9:
            wrong.append(f"sim_diffusion did not evade: AP {fourth['ap_before']}")
        promoted = {p["version"] for p in summary["promotions"] if p["decision"] == "promoted"}
        if fourth["version"] not in promoted:
            wrong.append(f"no promoted version learned sim_diffusion ({fourth['version']})")
        if not (fourth["recovered"] and fourth["ap_after"] >= 0.9):
            wrong.append(f"sim_diffusion did not recover: AP after {fourth['ap_after']}")
    if families["sim_diffusion"]["state"] != "detected":
        wrong.append(f"sim_diffusion ends {families['sim_diffusion']['state']}")
    if "sim_pixelshuffle_xl" in episodes:
        wrong.append("sim_pixelshuffle_xl was alarmed")
    if families["sim_pixelshuffle_xl"]["state"] != "detected":
        wrong.append(f"sim_pixelshuffle_xl ends {families['sim_pixelshuffle_xl']['state']}")
    if set(episodes) - {"sim_diffusion"}:
        wrong.append(f"alarms on {sorted(set(episodes) - {'sim_diffusion'})}")
    if summary["false_alarms"]:
        wrong.append(f"{summary['false_alarms']} false alarms")
    return wrong
