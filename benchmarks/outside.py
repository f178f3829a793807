"""How often pictures of a subject that was never delivered are called outside: the table of docs/heads.md.

    python -m benchmarks.outside --images FOLDER [--work FOLDER] [--json FILE]

Every family and every photo collection in turn is left out of the head, of its cross-fitting heads and of the limit,
under both profiles; then its pictures are measured. Takes some minutes; the pictures are encoded once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.heads.contenders import head_settings
from benchmarks.real_vectors import WORK, real_vectors
from daemon.heads import fold_heads
from daemon.heads.outside import outside_limits
from daemon.heads.pooling import pool_statistics
from daemon.heads.solve import solve_pooled
from daemon.model import LabelledVectors, Profile, Subject
from tests.acceptance.held_out import statistics_of


def measure(rows: Mapping[Profile, LabelledVectors]) -> dict[Subject, dict[Profile, float]]:
    """Subject -> profile -> share of its pictures beyond the limit of a head that never saw it."""
    settings, every = head_settings("mixture"), statistics_of(rows)
    found: dict[Subject, dict[Profile, float]] = {}
    for unseen in sorted({key.subject for key in every}):
        learned = {key: group for key, group in every.items() if key.subject != unseen}
        head, folds = (
            solve_pooled(pool_statistics(learned, settings.min_group), settings),
            fold_heads(learned, settings),
        )
        is_unseen = np.array([subject == unseen for subject in next(iter(rows.values())).subjects])
        known = {profile: own.take(np.flatnonzero(~is_unseen)) for profile, own in rows.items()}
        limits = outside_limits(head, folds, known, revision=1)
        found[unseen] = {
            profile: float((head.distances(own.vectors[is_unseen]) > limits[profile]).mean())
            for profile, own in rows.items()
        }
        print(unseen, found[unseen], file=sys.stderr)
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--work", type=Path, default=WORK, help=f"where vectors are kept; default {WORK}")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/outside.json"))
    arguments = parser.parse_args()
    if not (arguments.images / "manifest.csv").is_file():
        parser.error(f"there is no manifest.csv in {arguments.images}")
    rows = real_vectors(arguments.images, arguments.work)
    found = measure(rows)
    result: dict[str, Any] = {}
    for kind in ("source", "family"):
        own = {subject.name: shares for subject, shares in found.items() if subject.kind == kind}
        for profile in rows:
            shares = dict(sorted(((name, own[name][profile]) for name in own), key=lambda item: -item[1]))
            named = ", ".join(f"{name} {share:.3f}" for name, share in list(shares.items())[:6])
            print(f"{kind} {profile:9s} mean of {len(own)}: {fmean(shares.values()):.3f}; {named}, ...")
            result[f"{kind} {profile}"] = shares
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
