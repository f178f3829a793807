"""What the overview costs the server with 200 families and 90 days of measurements; aim: under 300 ms.

    python benchmarks/page.py [--families N] [--days N]

The figures over time are read from a real store once (cold) and kept (warm); then the page is made. Prints a table and
writes page.json beside itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.detail.history import history_of
from daemon.figures import HELD_OUT
from daemon.model import AuditRow, EvaluationRow, Subject
from daemon.views import FamilyView, Status
from daemon.web import examples
from daemon.web.page import Frame, Wanted, overview
from store import open_store

START = datetime(2026, 1, 1, tzinfo=UTC)
AIM = 300.0  # ms
VERSION = "v0003-9c41d2aa"


def milliseconds(work: Callable[[], object], times: int) -> float:
    """The median of several runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", type=int, default=200)
    parser.add_argument("--days", type=int, default=90)
    asked = parser.parse_args()
    names = [f"family_{number:03d}" for number in range(asked.families)]
    families = [FamilyView.model_validate({**examples.FAMILY, "name": name}) for name in names]
    status = Status.model_validate({**examples.STATUS, "families": families})
    audit = [AuditRow(1, START, "gate", "promote", VERSION, None, "", {}, "", "")]
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "state") as store:
        for day in range(asked.days):
            at = START + timedelta(days=day)
            store.samples.save_evaluations(
                [
                    EvaluationRow(VERSION, Subject("family", name), "raw", HELD_OUT, at, 50, 50, 0.95, 0.9, 0.98)
                    for name in names
                ]
            )
        figures = store.samples.past_figures(HELD_OUT, "raw", START)
        cold = milliseconds(lambda: history_of(store.samples.past_figures(HELD_OUT, "raw", START), audit), 5)
    history = history_of(figures, audit)
    overview(Frame(status, False), history, Wanted())  # templates are compiled once
    warm = milliseconds(lambda: overview(Frame(status, False), history, Wanted()), 20)
    rows = {"page, figures kept": warm, "page, figures read anew": warm + cold}
    for name, value in rows.items():
        print(f"{name:28} {value:8.1f} ms   {'under' if value < AIM else 'OVER'} {AIM:.0f} ms")
    out = {"families": asked.families, "days": asked.days, **{name: round(value, 1) for name, value in rows.items()}}
    Path(__file__).with_suffix(".json").write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
