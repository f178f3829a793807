"""What measuring 100 families costs, beside scikit-learn's AP in a loop with a naive bootstrap, in one run.

    python benchmarks/evaluate.py [--naive-calls 40] [--bootstrapped 10] [--json FILE]

`ours` is `evaluate_families`: AP, AUROC and recall with all their intervals. `naive` draws the groups of both sides
anew 1,000 times per family and calls `sklearn.metrics.average_precision_score` with the weights, which gives the
AP's interval alone. A small case runs both in full; in the large one (1e6 scores) the naive way would take hours, so
that some of its calls are timed and the rest is multiplied out, as the table says. The large case's bounds are
compared with those of 1,000 replicates of our own bootstrap over groups, for the families named.
Prints a table and writes JSON; exit status 1 when a promise is broken. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from daemon.evaluate.family import FamilyEvaluation, evaluate_families
from daemon.evaluate.intervals import Side, replicate_average_precision

REPLICATES = 1000
SECONDS, GIGABYTES, DIFFERENCE, RATIO = 3.0, 1.0, 0.003, 50.0  # the promises


@dataclass(frozen=True)
class Case:
    """Families against one real pool."""

    name: str
    families: int
    fakes: int  # of each family
    reals: int


@dataclass(frozen=True)
class Result:
    """One case."""

    case: Case
    scores: int
    seconds: float  # ours, CPU
    wall_seconds: float  # ours; the machine may be busy
    peak_gigabytes: float  # of the process, pictures' scores and keys included
    naive_seconds: float
    naive_calls: int  # timed; more than that are multiplied out
    naive_needed: int
    ratio: float
    largest_difference: float | None  # of a bound to that of the bootstrap
    bootstrapped: int  # families compared


def world(case: Case) -> tuple[Side, dict[str, Side]]:
    """Binormal scores; every second fake shares the group of a photograph."""
    random = np.random.default_rng([case.families, case.fakes, case.reals])
    reals = random.normal(size=case.reals), [f"g{k}" for k in range(case.reals)]
    families = {}
    for number in range(case.families):
        groups = [f"g{k}" if k % 2 else f"family{number}:{k}" for k in range(case.fakes)]
        families[f"family{number}"] = random.normal(random.uniform(0.0, 3.0), 1.0, case.fakes), groups
    return reals, families


class Naive:
    """One family's bootstrap as one would write it first."""

    def __init__(self, reals: Side, fakes: Side, random: np.random.Generator) -> None:
        self._truth = np.repeat([0, 1], [reals[0].size, fakes[0].size])
        self._scores = np.concatenate((reals[0], fakes[0]))
        self._groups, codes = np.unique(np.array([*reals[1], *fakes[1]]), return_inverse=True)
        self._codes, self._random = codes, random

    def replicate(self) -> float:
        """AP at even prevalence of one drawing of the groups."""
        drawn = self._random.integers(self._groups.size, size=self._groups.size)
        weights = np.bincount(drawn, minlength=self._groups.size)[self._codes].astype(float)
        for side in (0, 1):
            own = self._truth == side
            weights[own] /= weights[own].sum()
        return float(average_precision_score(self._truth, self._scores, sample_weight=weights))


def run_naively(reals: Side, families: dict[str, Side], most: int) -> tuple[float, int]:
    """CPU seconds of all 1,000 replicates of every family, and how many calls that was measured from."""
    random = np.random.default_rng(0)
    needed = REPLICATES * len(families)
    calls, spent = 0, 0.0
    per_family = min(REPLICATES, max(1, most // len(families)))
    for fakes in families.values():
        if calls >= most:
            break
        naive = Naive(reals, fakes, random)
        began = time.process_time()
        for _ in range(per_family):
            naive.replicate()
        spent += time.process_time() - began
        calls += per_family
    return spent * needed / calls, calls


def difference(found: dict[str, FamilyEvaluation], reals: Side, families: dict[str, Side], count: int) -> float:
    """The largest distance between a bound and that of 1,000 replicates, over the first families."""
    names = list(families)[:count]
    drawn = replicate_average_precision(reals, [families[name] for name in names], 0.5, REPLICATES, seed=0)
    bounds: NDArray[np.float64] = np.quantile(drawn, [0.025, 0.975], axis=1).T
    ours = np.array([(found[name].ap_lower, found[name].ap_upper) for name in names])
    return float(np.abs(ours - bounds).max())


def measure(case: Case, naive_calls: int, bootstrapped: int) -> Result:
    """Ours first, so that its peak of memory is its own."""
    reals, families = world(case)
    began, wall = time.process_time(), time.perf_counter()
    found = evaluate_families(*reals, families, threshold=1.6)
    seconds, wall_seconds = time.process_time() - began, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    naive_seconds, calls = run_naively(reals, families, naive_calls)
    compared = min(bootstrapped, case.families)
    return Result(
        case=case,
        scores=case.reals + case.families * case.fakes,
        seconds=seconds,
        wall_seconds=wall_seconds,
        peak_gigabytes=peak,
        naive_seconds=naive_seconds,
        naive_calls=calls,
        naive_needed=REPLICATES * case.families,
        ratio=naive_seconds / seconds,
        largest_difference=difference(found, reals, families, compared) if compared else None,
        bootstrapped=compared,
    )


def broken(large: Result) -> list[str]:
    """The promises that the large case does not keep."""
    found = []
    if large.seconds > SECONDS:
        found.append(f"{large.seconds:.2f} s of CPU, promised are {SECONDS}")
    if large.peak_gigabytes > GIGABYTES:
        found.append(f"{large.peak_gigabytes:.2f} GB, promised is {GIGABYTES}")
    if large.largest_difference is not None and large.largest_difference > DIFFERENCE:
        found.append(f"bounds {large.largest_difference:.4f} from the bootstrap's, promised is {DIFFERENCE}")
    if large.ratio < RATIO:
        found.append(f"{large.ratio:.0f} times as fast as the naive way, promised is {RATIO}")
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--naive-calls", type=int, default=40, help="scikit-learn calls timed in the large case")
    parser.add_argument("--bootstrapped", type=int, default=10, help="families whose bounds are compared")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/evaluate.json"))
    arguments = parser.parse_args()
    large = measure(Case("large", 100, 9_000, 100_000), arguments.naive_calls, arguments.bootstrapped)
    small = measure(Case("small", 4, 1_000, 2_000), 4 * REPLICATES, 4)
    print(
        f"{'':6s} {'scores':>9s} {'ours s':>7s} {'wall s':>7s} {'peak GB':>8s} {'naive s':>9s} {'calls timed':>14s} ",
        end="",
    )
    print(f"{'ratio':>7s} {'bounds differ':>14s}")
    for r in (large, small):
        timed = f"{r.naive_calls}/{r.naive_needed}"
        differ = "" if r.largest_difference is None else f"{r.largest_difference:.4f} ({r.bootstrapped})"
        print(
            f"{r.case.name:6s} {r.scores:9d} {r.seconds:7.2f} {r.wall_seconds:7.2f} {r.peak_gigabytes:8.2f} "
            f"{r.naive_seconds:9.1f} {timed:>14s} {r.ratio:7.0f} {differ:>14s}"
        )
    arguments.json.write_text(json.dumps([asdict(r) for r in (large, small)], indent=2) + "\n")
    for line in broken(large):
        sys.stderr.write(line + "\n")
    return 1 if broken(large) else 0


if __name__ == "__main__":
    sys.exit(main())
