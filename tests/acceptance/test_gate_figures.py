"""What the gate says of equal, better and harmful challengers; seeded, with the shipped config.yaml."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from daemon.model import Subject
from daemon.promote.gate import gate
from daemon.promote.judging import gate_settings
from daemon.settings import load
from tests.acceptance.conftest import Report
from tests.unit.promote.binormal import holdout

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

SETTINGS = gate_settings(load(Path(__file__).parents[2] / "config.yaml"))
NEW = Subject("family", "new")
Aps = dict[str, tuple[float, float]]  # family -> AP of the champion and of the challenger


def decided(seed: int, families: Aps, n: int = 100, reals: int = 1000, correlation: float = 0.9) -> str:
    """The gate's answer on the first attempt."""
    return gate(holdout(seed, families, n=n, reals=reals, correlation=correlation), [NEW], 1, SETTINGS).decision


def old(count: int) -> Aps:
    return {f"old_{k}": (0.95, 0.95) for k in range(count)}


def test_of_a_thousand_gates_between_equal_models_at_most_ten_promote(report: Report) -> None:
    decisions: Counter[str] = Counter()
    for seed in range(1000):
        random = np.random.default_rng([1, seed])
        aps = random.uniform(0.70, 0.97, size=2 + seed % 3).round(2).tolist()
        families = {f"old_{k}" if k else "new": (ap, ap) for k, ap in enumerate(aps)}
        n, reals = int(random.integers(15, 101)), int(random.integers(200, 1001))
        decisions[decided(seed, families, n, reals, float(random.uniform(0.5, 0.98)))] += 1
    report("", f"gate: 1000 equal challengers: {dict(decisions)}")
    assert decisions.total() == 1000
    assert decisions["promote"] <= 10


def test_a_truly_better_challenger_is_promoted_nine_times_in_ten(report: Report) -> None:
    decisions = Counter(decided(seed, {"new": (0.80, 0.85), **old(4)}) for seed in range(200))
    report(f"gate: 200 challengers better by .05 AP on 100 fakes, correlation .9, 1000 reals: {dict(decisions)}")
    assert decisions["promote"] >= 180


def test_a_challenger_that_ruins_one_of_a_hundred_old_families_is_rejected(report: Report) -> None:
    ruined: Aps = {"new": (0.60, 0.95), **old(100), "old_37": (0.95, 0.85)}
    decisions = Counter(decided(seed, ruined) for seed in range(40))
    report(f"gate: 40 challengers that ruin one of 100 old families by .10 AP: {dict(decisions)}")
    assert decisions["reject"] >= 38
