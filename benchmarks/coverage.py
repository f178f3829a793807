"""How often the 95 % intervals hold the truth: binormal scores, with and without prompts that share a photograph.

    python benchmarks/coverage.py [--runs 2000] [--quick] [--json FILE]

Every cell draws fresh reals and fakes, measures the family as the service does, and asks whether the interval holds
the value of infinitely many pictures (for the AUROC: of infinitely many fakes against the same reals). Beside it the
percentiles of a bootstrap over groups on the same draws. Prints a Markdown table and writes JSON. Seeded.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from daemon.evaluate.average_precision import average_precision_floor
from daemon.evaluate.family import evaluate_family
from daemon.evaluate.intervals import average_precision_interval, replicate_average_precision
from daemon.evaluate.jackknife import FakeSide, RealPool, jackknife

RHO = 0.5  # correlation of pictures that share a prompt, with each other and with its photograph
REPLICATES = 400
THRESHOLD = 1.6


@dataclass(frozen=True)
class Cell:
    """One situation."""

    n: int  # fakes
    m: int  # reals
    per_prompt: int  # fakes that share one photograph's group; 1: every picture for itself
    ap: float  # the true AP at even prevalence
    runs: int
    bootstrap_runs: int  # the first so many
    rates_every: int  # AUROC and recall are measured in every so-manieth run


@dataclass(frozen=True)
class Coverage:
    """How often each interval held the truth."""

    cell: Cell
    ap: float
    ap_width: float  # mean
    bootstrap: float | None  # percentiles of the bootstrap over groups, in the first of the runs
    auroc: float
    recall: float


def true_average_precision(shift: float) -> float:
    """AP at even prevalence of reals N(0, 1) and fakes N(shift, 1), infinitely many of both."""
    miss = (np.arange(200_000) + 0.5) / 200_000  # share of the fakes below
    hit, false = 1.0 - miss, ndtr(-(ndtri(miss) + shift))
    return float(np.mean(hit / (hit + false)))


def draw(cell: Cell, shift: float, random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of the reals (m,) and the fakes (n,); fakes of one prompt stand together."""
    if cell.per_prompt == 1:
        return random.normal(size=cell.m), random.normal(shift, 1.0, cell.n)
    prompts = random.normal(size=max(cell.m, cell.n // cell.per_prompt))
    of = np.arange(cell.n) // cell.per_prompt
    reals = np.sqrt(RHO) * prompts[: cell.m] + np.sqrt(1.0 - RHO) * random.normal(size=cell.m)
    fakes = shift + np.sqrt(RHO) * prompts[of] + np.sqrt(1.0 - RHO) * random.normal(size=cell.n)
    return reals, fakes


def measure(cell: Cell) -> Coverage:
    """Simulate one cell."""
    shift = float(brentq(lambda x: true_average_precision(x) - cell.ap, -8.0, 8.0, xtol=1e-6))
    random = np.random.default_rng([cell.n, cell.m, cell.per_prompt, round(1000 * cell.ap)])
    real_groups = [f"g{k}" for k in range(cell.m)]
    fake_groups = [f"g{k // cell.per_prompt}" if cell.per_prompt > 1 else f"f{k}" for k in range(cell.n)]
    recall = float(ndtr(shift - THRESHOLD))
    held, rates = 0, np.zeros(2)
    bootstrap, width = 0, 0.0
    for run in range(cell.runs):
        reals, fakes = draw(cell, shift, random)
        lower, upper = ap_interval(reals, real_groups, fakes, fake_groups)
        held += bool(lower <= cell.ap <= upper)
        width += upper - lower
        if run % cell.rates_every == 0:
            found = evaluate_family(reals, real_groups, fakes, fake_groups, THRESHOLD)
            area = float(ndtr(shift - reals).mean())
            rates += (
                found.auroc_lower <= area <= found.auroc_upper,
                found.recall_lower <= recall <= found.recall_upper,
            )
        if run < cell.bootstrap_runs:
            drawn = replicate_average_precision((reals, real_groups), [(fakes, fake_groups)], 0.5, REPLICATES, run)
            low, high = np.quantile(drawn, [0.025, 0.975])
            bootstrap += bool(low <= cell.ap <= high)
    shares = rates / len(range(0, cell.runs, cell.rates_every))
    percentiles = bootstrap / cell.bootstrap_runs if cell.bootstrap_runs else None
    return Coverage(
        cell, held / cell.runs, width / cell.runs, percentiles, auroc=float(shares[0]), recall=float(shares[1])
    )


def ap_interval(
    reals: NDArray[np.float64], real_groups: list[str], fakes: NDArray[np.float64], fake_groups: list[str]
) -> tuple[float, float]:
    """The AP's interval of `evaluate_family`, without the other figures."""
    pool = RealPool.of(reals, real_groups)
    side = FakeSide.of(pool, fakes, fake_groups, "synthetic")
    found = jackknife(pool, side, 0.5)
    smaller = min(side.groups, len(pool.numbers))
    return average_precision_interval(found.ap, found.standard_error, found.degrees_of_freedom, smaller, 0.5)


def cells(runs: int, quick: bool) -> list[Cell]:
    """The situations: all of them, or the few of `make accept`."""
    if quick:
        picked = [
            (100, 300, 1, 0.97),
            (100, 300, 1, 0.6),
            (100, 1000, 4, 0.9),
            (300, 1000, 2, 0.95),
            (300, 300, 1, 0.8),
        ]
        return [Cell(*where, runs, 0, 1) for where in picked]
    grid = product((30, 100, 300, 1000), (300, 1000), (1, 4), (0.4, 0.6, 0.8, 0.9, 0.95, 0.97))
    extra = [(n, 1000, 1, 0.99) for n in (30, 100, 300, 1000)]
    return [Cell(*where, runs, runs // 10 if where[0] == 100 else 0, 10) for where in [*grid, *extra]]


def markdown(found: list[Coverage]) -> str:
    """The table of docs/explanation-intervals.md: the AP's coverage by cell."""
    aps = sorted({coverage.cell.ap for coverage in found})
    rows = ["| n | reals | prompts | " + " | ".join(f"AP {ap:g}" for ap in aps) + " |", "|---" * (3 + len(aps)) + "|"]
    at = {(c.cell.n, c.cell.m, c.cell.per_prompt, c.cell.ap): c for c in found}
    for n, m, per_prompt in sorted({key[:3] for key in at}):
        values = [at.get((n, m, per_prompt, ap)) for ap in aps]
        shown = [
            "" if c is None else f"{c.ap:.3f}" + ("" if c.bootstrap is None else f" ({c.bootstrap:.3f})")
            for c in values
        ]
        prompts = "each its own" if per_prompt == 1 else f"{per_prompt} fakes and a photo"
        rows.append(f"| {n} | {m} | {prompts} | " + " | ".join(shown) + " |")
    return "\n".join(rows)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="the few cells of `make accept`")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/coverage.json"))
    arguments = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(measure, cells(arguments.runs, arguments.quick)))
    print(markdown(found))
    promised = [c for c in found if c.cell.n >= 100 and average_precision_floor() < c.cell.ap <= 0.97]
    print(f"\nn >= 100 and AP <= .97: {min(c.ap for c in promised):.3f} to {max(c.ap for c in promised):.3f}")
    print(f"AUROC: {min(c.auroc for c in found):.3f} and more; recall: {min(c.recall for c in found):.3f} and more")
    arguments.json.write_text(json.dumps([asdict(c) for c in found], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
