"""What it costs to learn 256 new rows, and what the head is worth, learner by learner: `make bench-heads`.

    python -m benchmarks.heads [--sizes N ...] [--rounds N] [--images FOLDER] [--work FOLDER] [--json FILE]

Simulated vectors of d = 1024 at every N, then the forensic vectors of the pictures in `--images`. Every run of a
learner is a process of its own, one at a time; rounds go over all of them, so that what else the machine does meets
all. A run that takes longer than a minute is not repeated; the column `runs` tells. Keep the numeric libraries to one
thread. The whole takes about half an hour and, at N = 1,000,000, 5 GB of memory and 4 GB of disk. Exit status 1: a
promise is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.heads import pictures, state
from benchmarks.heads.contenders import CONTENDERS
from benchmarks.heads.promises import Row, growth, of, promises
from benchmarks.heads.world import CHUNK, World
from benchmarks.real_vectors import WORK, real_vectors
from tests.acceptance.held_out import formats_of

_FAMILIES: Final = 20
_FEW: Final = 5
_FEW_SIZE: Final = 100_000  # most rows of the world with few families: only the mAP is of interest there
_LONG: Final = 60.0  # seconds of a run that is not repeated

Task = tuple[int, int, str]  # families, size, contender


def run(folder: Path, families: int, size: int, name: str) -> dict[str, Any]:
    """One contender in a process of its own. Raises CalledProcessError when it fails; it has said why."""
    command = [sys.executable, "-m", "benchmarks.heads.contenders", name, str(folder), str(families), str(size)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(folders: Mapping[int, Path], tasks: Sequence[Task], rounds: int) -> list[Row]:
    """All tasks, round by round; medians of each."""
    runs: dict[Task, list[dict[str, Any]]] = defaultdict(list)
    for number in range(rounds):
        for task in tasks:
            families, size, name = task
            if runs[task] and runs[task][0]["all"] > _LONG:
                continue
            found = run(folders[families], families, size, name)
            runs[task].append(found)
            update = found["seconds"]["update"]
            print(
                f"round {number + 1}: {families} families, N = {size:,}, {name}: {update['wall']:.3f} s, "
                f"CPU {update['cpu']:.3f} s, mAP {found['map']:.4f}",
                file=sys.stderr,
            )
    return [_row(task, own) for task, own in runs.items()]


def _row(task: Task, runs: Sequence[dict[str, Any]]) -> Row:
    families, size, name = task
    steps = {
        step: {kind: median(one["seconds"][step][kind] for one in runs) for kind in ("wall", "cpu")}
        for step in runs[0]["seconds"]
    }
    about = runs[0]["about"] | {"seconds": steps}
    nothing = {"wall": 0.0, "cpu": 0.0}
    peak = max(one["peak_bytes"] for one in runs)
    return Row(
        families, size, name, steps.get("read", nothing), steps["update"], peak, runs[0]["map"], len(runs), about
    )


def show(rows: Sequence[Row]) -> None:
    """The table of the simulated vectors."""
    print(
        f"\n{'families':>8s} {'N':>10s} {'learner':14s} {'update s':>9s} {'CPU s':>8s} {'x mixture':>9s} "
        f"{'read CPU s':>10s} {'peak MB':>8s} {'kept MB':>8s} {'mAP':>6s} {'runs':>4s}"
    )
    for row in sorted(rows, key=lambda row: (-row.families, row.size)):
        ours = of(rows, row.families, row.size, "mixture")
        times = row.update["cpu"] / ours.update["cpu"] if ours else float("nan")
        kept = row.about.get("state_bytes", row.about.get("rows_bytes", 0))
        print(
            f"{row.families:8d} {row.size:10d} {row.name:14s} {row.update['wall']:9.3f} {row.update['cpu']:8.3f} "
            f"{times:9.2f} {row.read['cpu']:10.3f} {row.peak_bytes / 1e6:8.0f} {kept / 1e6:8.1f} {row.map:6.4f} "
            f"{row.runs:4d}"
        )
    for name in ("mixture", "linear"):
        own = sorted((r for r in rows if r.name == name and r.families == _FAMILIES), key=lambda r: r.size)
        ratio = growth(rows, name, reading=True)
        if ratio is not None:
            packed = ", ".join(f"{r.about['packed_groups']} of {r.about['groups']} at {r.size:,}" for r in own)
            print(f"{name}: with reading its files, largest N over smallest {ratio:.2f}; packed groups: {packed}")


def show_pictures(found: Mapping[str, Mapping[str, Any]]) -> None:
    """The table of the real pictures."""
    print(f"\n{'pictures, 5 folds':18s} {'raw mAP':>8s} {'worst':>6s} {'laundered':>10s} {'worst':>6s} {'CPU s':>6s}")
    for name, own in found.items():
        raw, laundered = own["raw"], own["laundered"]
        print(
            f"{name:18s} {raw['map']:8.4f} {raw['worst']:6.3f} {laundered['map']:10.4f} {laundered['worst']:6.3f} "
            f"{own['cpu']:6.2f}  {' '.join(f'{key} {value}' for key, value in own['about'].items())}"
        )
    print("logistic_warm is logistic, begun elsewhere: the same head")


def main() -> int:
    """Measure and print; exit status 1 when a promise is missed, 2 on wrong usage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=Path, help="folder with manifest.csv; none: simulated vectors alone")
    parser.add_argument("--work", type=Path, default=WORK, help=f"where rows and vectors are kept; default {WORK}")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/heads/heads.json"))
    arguments = parser.parse_args()
    sizes = sorted(set(arguments.sizes))
    if sizes[0] < CHUNK or any(size % CHUNK for size in sizes) or arguments.rounds < 1:
        parser.error(f"sizes are multiples of {CHUNK}, and there is at least one round")
    if arguments.images and not (arguments.images / "manifest.csv").is_file():
        parser.error(f"there is no manifest.csv in {arguments.images}")
    few = [max([size for size in sizes if size <= _FEW_SIZE] or sizes[:1])]
    wanted = {_FAMILIES: sizes, _FEW: few}
    folders = {families: arguments.work / f"heads-{families}" for families in wanted}
    for families, own in wanted.items():
        state.prepare(folders[families], World(families), own)
    tasks = [(families, size, name) for families, own in wanted.items() for size in own for name in CONTENDERS]
    rows = measure(folders, tasks, arguments.rounds)
    real = None
    if arguments.images:
        real = pictures.measure(real_vectors(arguments.images, arguments.work), formats_of(arguments.images))
    show(rows)
    if real is None:
        print("\nno pictures: --images names a folder with manifest.csv (make: SIDWATCH_TEST_DATA)")
    else:
        show_pictures(real)
    judged = promises(rows, real)
    print("\n" + "\n".join(map(str, judged)))
    result = {
        "simulated": [asdict(row) for row in rows],
        "pictures": real,
        "promises": [asdict(promise) | {"kept": promise.kept} for promise in judged],
    }
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if any(promise.kept is False for promise in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
