"""What a closed-form update of 256 new rows costs when N rows are known already: it must not depend on N.

    python benchmarks/heads_update.py [--rows 10000 100000 1000000] [--json FILE]

Gaussian groups of d = 1024 features with CLIP's mean norm of 33. Only the smallest N is added row by row; the larger
ones are merged from copies of it, for the state does not tell whether a row was new. An update is what the service
does: read the statistics of the one group that grew, add its rows, write them, pool all groups, solve. CPU
time of one thread (keep the numeric libraries to one), median of runs that take turns over N; compare within a run.
"""

from __future__ import annotations

import argparse
import json
import statistics as of_times
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.heads import GroupKey, GroupStatistics, Head, HeadSettings
from daemon.heads.pooling import pool_statistics
from daemon.heads.solve import solve_pooled
from daemon.model import FOLDS, Subject

DIMENSION = 1024
NORM = 33.0  # of a CLIP feature
NEW_ROWS = 256

State = dict[GroupKey, GroupStatistics]


def keys_of(families: int, sources: int) -> list[GroupKey]:
    """The groups of the simulated world."""
    subjects = [Subject("family", f"family_{i}") for i in range(families)]
    subjects += [Subject("source", f"source_{i}") for i in range(sources)]
    return [GroupKey(subject, "raw") for subject in subjects]


def rows_of(group: int, n: int, seed: int) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """n rows of a group and their folds; a group is a shift of what all have in common."""
    common, own, rng = np.random.default_rng(0), np.random.default_rng(1000 + group), np.random.default_rng(seed)
    mean = common.normal(0.0, 0.9, DIMENSION) + own.normal(0.0, 0.15, DIMENSION)
    x = mean + rng.normal(0.0, 0.45, (n, DIMENSION))
    x *= NORM / np.linalg.norm(x, axis=1).mean()
    return x.astype(np.float16), rng.integers(0, FOLDS, n).astype(np.int8)


def known(keys: list[GroupKey], rows: int) -> State:
    """Statistics of `rows` rows, evenly over the groups, added row by row."""
    empty = GroupStatistics.empty(DIMENSION)
    return {key: empty.add(*rows_of(i, rows // len(keys), seed=i)) for i, key in enumerate(keys)}


def repeated(state: State, times: int) -> State:
    """Every row of the state `times` times, by merging."""
    grown = dict(state)
    for _ in range(times - 1):
        grown = {key: group + state[key] for key, group in grown.items()}
    return grown


def update(
    state: State, grown: GroupKey, file: bytes, new: tuple[NDArray[np.float16], NDArray[np.int8]]
) -> tuple[Head, dict[str, float]]:
    """One update; returns the head and the seconds of each step."""
    began = time.thread_time()
    after = GroupStatistics.from_bytes(file).add(*new)
    after.to_bytes()
    added = time.thread_time()
    pooled = pool_statistics({**state, grown: after}, HeadSettings().min_group)
    gathered = time.thread_time()
    head = solve_pooled(pooled, HeadSettings())
    solved = time.thread_time()
    seconds = {"add": added - began, "pool": gathered - added, "solve": solved - gathered, "all": solved - began}
    return head, seconds


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--families", type=int, default=8)
    parser.add_argument("--sources", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/heads_update.json"))
    arguments = parser.parse_args()
    keys = keys_of(arguments.families, arguments.sources)
    smallest = min(arguments.rows)
    start = known(keys, smallest)
    new = rows_of(0, NEW_ROWS, seed=10**6)
    states = [repeated(start, rows // smallest) for rows in sorted(arguments.rows)]
    runs: list[list[dict[str, float]]] = [[] for _ in states]
    for _ in range(arguments.repeats + 1):
        for state, own in zip(states, runs, strict=True):
            own.append(update(state, keys[0], state[keys[0]].to_bytes(), new)[1])
    found: list[dict[str, Any]] = [
        {
            "rows": sum(group.n for group in state.values()),
            "state_bytes": sum(len(group.to_bytes()) for group in state.values()),
            "seconds": {step: of_times.median(run[step] for run in own[1:]) for step in own[0]},  # the first warms up
        }
        for state, own in zip(states, runs, strict=True)
    ]
    print(
        f"{'N':>9s} {'state MB':>9s} {'add ms':>8s} {'pool ms':>8s} {'solve ms':>9s} {'update ms':>10s} {'ratio':>6s}"
    )
    for row in found:
        ms = {step: 1000 * seconds for step, seconds in row["seconds"].items()}
        ratio = row["seconds"]["all"] / found[0]["seconds"]["all"]
        print(
            f"{row['rows']:9d} {row['state_bytes'] / 1e6:9.1f} {ms['add']:8.1f} {ms['pool']:8.1f} "
            f"{ms['solve']:9.1f} {ms['all']:10.1f} {ratio:6.2f}"
        )
    result = {"dimension": DIMENSION, "new_rows": NEW_ROWS, "groups": len(keys), "sizes": found}
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
