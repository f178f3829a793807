"""What `sidwatch backtest` costs, all policies and both profiles, from nothing; aim: under 10 minutes on 2 cores.

    python -m benchmarks.backtest MANIFEST [--policy NAME ...] [--encoder NAME] [--json FILE]

Runs the command as a person would, with the shipped configuration, and tells wall time, processor time with that of
all children, the largest process, and the figures that it reports. Writes backtest.json beside itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon.shipped import shipped

AIM = 600.0  # seconds of wall time
_FIGURES = ("next_period_map", "past_map", "whole_map", "final_map", "final_worst", "forgetting")


def measured(manifest: Path, policies: Sequence[str], encoder: str) -> dict[str, Any]:
    """One run in a new folder. Raises CalledProcessError when the command fails."""
    chosen = [argument for policy in policies for argument in ("--policy", policy)]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(str(shipped("config.yaml")), Path(folder, "config.yaml"))
        command = [Path(sys.executable).with_name("sidwatch"), "backtest", manifest, "--encoder", encoder, "--json"]
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([*command, *chosen], cwd=folder, stdout=subprocess.PIPE, check=True)
        seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": seconds,
        "processor_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "largest_process_mib": after.ru_maxrss / 1024,
        "load_before": os.getloadavg()[0],
        "report": json.loads(done.stdout),
    }


def rows(report: Mapping[str, Any]) -> list[str]:
    """The table of the documentation, a line for each profile and policy."""
    found = [
        "| profile | policy | next period mAP | past | whole | final | worst at the end | forgetting | promotions |"
    ]
    found.append("|---" * 9 + "|")
    for profile, own in report["profiles"].items():
        for policy, row in own["policies"].items():
            figures = [f"{row[name]:.3f}" for name in _FIGURES]
            found.append(f"| {profile} | `{policy}` | {' | '.join(figures)} | {row['promotions']} |")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--policy", action="append", default=[], help="several times for several; none: all")
    parser.add_argument("--encoder", default="forensic")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_suffix(".json"))
    given = parser.parse_args(arguments)
    found = measured(given.manifest.resolve(), given.policy, given.encoder)
    print("\n".join(rows(found["report"])))
    print(
        f"{found['seconds']:.0f} s (aim: {AIM:.0f}), {found['processor_seconds']:.0f} s of processor time, "
        f"largest process {found['largest_process_mib']:.0f} MiB; load before {found['load_before']:.1f}"
    )
    given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
