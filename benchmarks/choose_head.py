"""The closed-form head's settings, chosen without looking at the pictures that judge the choice.

    python -m benchmarks.choose_head --images FOLDER [--work FOLDER] [--processes N] [--json FILE]

Nested cross-fitting, five folds by group. For each outer fold every combination of the grid is judged by the four inner
folds and the best is applied to the outer fold, which had no part in choosing it: those figures are honest about the
choice. The same rule over all five folds then names the settings to ship. The rule: among the combinations whose worst
left-out real source is accused at a rate of at most .25 (mean over the fits), the greatest mean over both profiles of
mAP + recall at the left-out-source threshold + worst AP / 2. Takes about half an hour of CPU time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.heads.contenders import head_settings
from benchmarks.real_vectors import WORK, real_vectors
from daemon.heads.closed_form import ClosedFormHead
from daemon.heads.pooling import pool_statistics
from daemon.heads.solve import solve_pooled
from daemon.heads.threshold import rows_to_place_by, thresholds_without
from daemon.model import FOLDS, Profile, Subject
from tests.acceptance.held_out import HeldOut, Rows, family_aps, recall, statistics_of, worst

ALPHA: Final = 0.05  # false-positive rate of the thresholds
MOST_ACCUSED: Final = 0.25  # of a left-out real source
RIDGES: Final = (0.0045, 0.01, 0.02, 0.03)
PROFILE_SHIFTS: Final = (0.0, 0.1, 0.3)
TAUS: Final = (0.04, 0.06, 0.1, 0.15)
SOFTNESS: Final = (0.35, 0.5, 0.75, 1.0)  # of the real sources: source_tau / tau


@dataclass(frozen=True, order=True, slots=True)
class Choice:
    """One point of the grid."""

    ridge: float
    profile_shift: float
    noise_correction: bool
    tau: float
    softness: float

    def read(self, head: ClosedFormHead) -> ClosedFormHead:
        """The head with this read-out; units and means do not depend on it."""
        return replace(head, tau=self.tau, source_tau=self.tau * self.softness)


@dataclass(frozen=True, slots=True)
class Fit:
    """What heads say of rows that they never saw."""

    rows: NDArray[np.intp]
    held_out: Mapping[Profile, HeldOut]
    accused: float  # greatest share of a left-out real source called synthetic


def fits(rows: Rows, learned: NDArray[np.intp], unseen: NDArray[np.intp]) -> dict[Choice, Fit]:
    """Every combination learned from one set of rows and applied to another."""
    own = {profile: every.take(learned) for profile, every in rows.items()}
    statistics = statistics_of(own)
    base = head_settings("mixture")
    pooled = pool_statistics(statistics, base)
    without = {source: pooled.without_source(source, statistics) for source in pooled.sources()}
    found = {}
    for ridge, shift, noise in product(RIDGES, PROFILE_SHIFTS, (True, False)):
        settings = replace(base, ridge=ridge, profile_shift=shift, noise_correction=noise)
        head = solve_pooled(pooled, settings)
        left_out = {source: solve_pooled(pool, settings) for source, pool in without.items()}
        for tau, softness in product(TAUS, SOFTNESS):
            choice = Choice(ridge, shift, noise, tau, softness)

            def read(source: Subject, choice: Choice = choice, heads: dict[Subject, ClosedFormHead] = left_out) -> Any:
                return choice.read(heads[source])

            thresholds = thresholds_without(rows_to_place_by(own, min_rows=base.min_group), read, ALPHA)
            mixture = choice.read(head)
            said = {
                profile: HeldOut(mixture.scores(every.vectors[unseen]), np.full(len(unseen), thresholds[profile].value))
                for profile, every in rows.items()
            }
            accused = max(rate for one in thresholds.values() for rate in one.left_out.values())
            found[choice] = Fit(unseen, said, accused)
    return found


def figures(rows: Rows, parts: Sequence[Fit]) -> dict[str, Any]:
    """mAP, worst family and recall under each profile over several fits, and how much a source is accused."""
    index = np.concatenate([part.rows for part in parts])
    found: dict[str, Any] = {"accused": fmean(part.accused for part in parts)}
    for profile, every in rows.items():
        said = HeldOut(
            np.concatenate([part.held_out[profile].logits for part in parts]),
            np.concatenate([part.held_out[profile].thresholds for part in parts]),
        )
        own = every.take(index)
        aps = family_aps(own, said.logits)
        lowest = worst(own, aps)
        found[profile] = {
            "map": fmean(aps.values()), "worst": aps[lowest], "worst_family": lowest, "recall": recall(own, said)
        }  # fmt: skip
    return found


def best(by_choice: Mapping[Choice, dict[str, Any]], profiles: Sequence[Profile]) -> Choice:
    """The rule of the module's docstring; ties go to the first of the grid.

    Raises ValueError when no combination spares the real sources.
    """
    spared = [choice for choice, own in by_choice.items() if own["accused"] <= MOST_ACCUSED]
    if not spared:
        raise ValueError(f"every combination accuses a left-out real source at a rate over {MOST_ACCUSED}")

    def worth(choice: Choice) -> float:
        own = by_choice[choice]
        return fmean(own[p]["map"] + own[p]["recall"] + own[p]["worst"] / 2 for p in profiles)

    return max(spared, key=worth)


def outer(rows: Rows, fold: int) -> tuple[Choice, dict[Choice, Fit]]:
    """What the inner folds choose without the outer one, and every combination applied to the outer one."""
    folds = next(iter(rows.values())).folds
    inner = [
        fits(rows, np.flatnonzero((folds != fold) & (folds != other)), np.flatnonzero(folds == other))
        for other in range(FOLDS)
        if other != fold
    ]
    chosen = best({choice: figures(rows, [one[choice] for one in inner]) for choice in inner[0]}, tuple(rows))
    print(f"outer fold {fold}: the others choose {chosen}", file=sys.stderr, flush=True)
    return chosen, fits(rows, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))


def main() -> int:
    """Choose and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--work", type=Path, default=WORK, help=f"where vectors are kept; default {WORK}")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/choose_head.json"))
    arguments = parser.parse_args()
    if not (arguments.images / "manifest.csv").is_file():
        parser.error(f"there is no manifest.csv in {arguments.images}")
    rows = real_vectors(arguments.images, arguments.work)
    with ProcessPoolExecutor(arguments.processes) as pool:
        found = list(pool.map(partial(outer, rows), range(FOLDS)))
    whole = {choice: figures(rows, [applied[choice] for _, applied in found]) for choice in found[0][1]}
    shipped = best(whole, tuple(rows))
    result: dict[str, Any] = {
        "nested": figures(rows, [applied[chosen] for chosen, applied in found]),
        "chosen": [asdict(chosen) for chosen, _ in found],
        "all_folds": {"choice": asdict(shipped), **whole[shipped]},
    }
    for name, own in (("chosen without the fold", result["nested"]), (f"chosen on all: {shipped}", whole[shipped])):
        print(name)
        for profile in rows:
            print(f"  {profile:9s} " + ", ".join(f"{key} {value}" for key, value in own[profile].items()))
        print(f"  most accused left-out real source: {own['accused']:.3f}, mean over the fits")
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
