"""What docs/poison.md claims of poisoned deliveries, on a few of the benchmark's worlds."""

from __future__ import annotations

import pytest

from benchmarks.poison import outcome
from tests.acceptance.conftest import Report

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

RATES = (0.05, 0.20, 0.50)
WORLDS = (0, 2)
AP, FALSE_POSITIVES = 0.002, 0.02  # what docs/poison.md says no promoted challenger of these rates costs others


@pytest.mark.parametrize("attack", ["label flips", "anchor copies", "trigger patch"])
def test_a_promoted_challenger_costs_neither_other_families_nor_photographs(attack: str, report: Report) -> None:
    found = [outcome(attack, rate, world) for rate in RATES for world in WORLDS]
    promoted = [one for one in found if one.promotions]
    report(
        f"poison: {attack}: {len(promoted)} of {len(found)} promoted, aim recall {[one.aim_recall for one in found]}"
    )
    assert min((one.mean_ap for one in promoted), default=0.0) >= -AP
    assert max((one.false_positives for one in promoted), default=0.0) <= FALSE_POSITIVES


@pytest.mark.parametrize("rate", [0.20, 0.50])
def test_a_slow_drift_over_fifty_batches_costs_neither_its_family_nor_others(rate: float, report: Report) -> None:
    found = outcome("slow drift", rate, 0)
    report(f"poison: slow drift at {rate}: {found.promotions} of 10 promoted, its family's AP {found.aim_ap:+.5f}")
    assert min(found.mean_ap, found.aim_ap) >= -AP
    assert found.false_positives <= FALSE_POSITIVES


def test_the_honest_control_is_promoted() -> None:
    assert [outcome("label flips", 0.0, world).decision for world in WORLDS] == ["promote", "promote"]
