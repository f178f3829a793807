"""The demo: the real service on simulated pictures and an accelerated clock, one simulated day a cycle.

Nothing here decides anything: it sets up the embedded defaults, turns the cycle and tells what happened.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from daemon.app import clear_state, opened
from daemon.context import Context
from daemon.cycle import run_cycle
from daemon.drift.hindsight import false_alarms
from daemon.errors import BadInputError
from daemon.model import Event
from daemon.operations import served
from daemon.ports import Progress
from daemon.runs import Leases
from daemon.service import Service
from daemon.settings import Settings, load
from daemon.supervisor import run_one_cycle
from daemon.views import Status
from daemon.wiring import make_telemetry
from daemon.writing import write_whole

START = datetime(2030, 1, 1, tzinfo=UTC)  # day 0 of the simulated calendar
STORY_DAYS = 11  # the last release that the story is about is long enough ago by then
MORE_DAYS = 400  # the simulated world goes on for those who keep watching
BEAT_LIMIT = 120.0  # seconds between two beats: the one thread also learns and judges, on a slow machine for long
PAUSE = 10.0  # real seconds per simulated day once the story is told

MARKER = "sidwatch-demo"  # a folder with this file is the demo's own, and may be emptied by it
FINISHED = "finished"


@dataclass(frozen=True)
class Teller:
    """How the story reaches people."""

    event: Callable[[Event], None]
    day: Callable[[int, Status], None]
    page: Callable[[str], None]
    end: Callable[[Status], None]
    progress: Progress


@dataclass(frozen=True)
class StoryNotifier:
    """Tells events as they happen."""

    teller: Teller

    def send(self, event: Event) -> None:
        self.teller.event(event)


def prepare(folder: Path, seed: int, port: int) -> Settings:
    """The demo's configuration in its own folder; a story that was cut off goes on, a finished one starts anew.

    Raises BadInputError when the folder holds something else, StateLocked when another demo runs there.
    """
    marker, config = folder / MARKER, folder / "config.yaml"
    if folder.is_dir() and any(folder.iterdir()) and not marker.exists():
        raise BadInputError(f"{folder} is not empty and no demo's folder; `--state` names another")
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    wanted = yaml.safe_dump(configuration(seed, port), sort_keys=False)
    if (folder / FINISHED).exists() or not config.exists() or _seed_of(config) != seed:
        clear_state(folder / "state", also=[config, folder / FINISHED])
    write_whole(config, wanted)
    return load(config)


def configuration(seed: int, port: int) -> dict[str, Any]:
    """What differs from the defaults: the encoder without weights, the simulated adapter, the accelerated clock."""
    simulation = {"seed": seed, "start": START.isoformat(), "days": MORE_DAYS}
    return {
        "encoder": {"name": "forensic"},
        "clock": {"kind": "simulated", "start": START.isoformat(), "step": "1d"},
        "http": {"port": port},
        "adapters": [{"name": "world", "kind": "simulated", "trust": "trusted", "every": "1d", "options": simulation}],
    }


def tell_story(settings: Settings, teller: Teller, stop: threading.Event, *, go_on: bool) -> dict[str, Any] | None:
    """Run until the story is told (and on, if so asked, until `stop`); returns the summary, None: stopped."""
    began = time.monotonic()
    beating: list[Service] = []

    def progress(what: str, done: int, total: int) -> None:
        for service in beating:
            service.beat()  # the one thread does all the work here, and this is where it passes by
        teller.progress(what, done, total)

    telemetry = make_telemetry(settings)
    with opened(settings, encoder=True, meter=telemetry, notifier=StoryNotifier(teller), progress=progress) as state:
        service = Service(state.context, telemetry, state.simulated)
        beating.append(service)
        state.context.runs.recover(state.context.clock.now(), holder=state.holder)
        status = service.refresh(restore=True)
        with served(settings, service, teller.page, BEAT_LIMIT):
            service.state = "ready"
            leases = Leases(state.context, state.holder)
            turn = partial(run_cycle, noticed=service.refresh)
            summary: dict[str, Any] | None = None
            while not stop.is_set() and (summary is None or go_on):
                day = (state.context.clock.now() - START).days
                service.beat()
                run_one_cycle(state.context, leases, turn)
                status = service.refresh()
                teller.day(day, status)
                if summary is None and day >= STORY_DAYS:
                    summary = summarise(state.context, status, time.monotonic() - began)
                    write_whole(settings.store.directory.parent / FINISHED, json.dumps(summary))
                    teller.end(status)
                if summary is not None and go_on:
                    _pause(service, stop)
        return summary


def summarise(context: Context, status: Status, seconds: float) -> dict[str, Any]:
    """The story as plain data; every figure is read from the store."""
    families = {}
    for family in status.families:
        raw = family.profiles.get("raw")
        figures = ("ap", "ap_lower", "ap_upper", "auroc", "recall", "n")
        families[family.name] = {
            "state": family.state,
            **{name: getattr(raw, name) if raw else None for name in figures},
        }
    episodes = (
        "family",
        "opened_at",
        "alarmed_at",
        "samples_to_alarm",
        "ap_before",
        "version",
        "ap_after",
        "recovered",
    )
    return {
        "champion": status.champion.id if status.champion else None,
        "families": families,
        "mean_ap": status.mean_ap["raw"],
        "worst_ap": status.worst_ap["raw"],
        "episodes": [{name: e.model_dump(mode="json")[name] for name in episodes} for e in status.episodes],
        "promotions": [
            {"version": d.version, "decision": d.decision, "reason": d.reason} for d in reversed(status.decisions)
        ],
        "false_alarms": len(false_alarms(context)),
        "real_false_positive_rate": status.real_false_positive_rate["raw"],
        "seconds": round(seconds, 1),
    }


def _pause(service: Service, stop: threading.Event) -> None:
    until = time.monotonic() + PAUSE
    while not stop.is_set() and time.monotonic() < until:
        service.beat()
        stop.wait(0.5)


def _seed_of(config: Path) -> int | None:
    found = yaml.safe_load(config.read_text(encoding="utf-8"))
    try:
        return int(found["adapters"][0]["options"]["seed"])
    except (KeyError, IndexError, TypeError, ValueError):
        return None
