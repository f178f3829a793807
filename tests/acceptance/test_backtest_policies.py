"""The back-test of every policy on real pictures; what the default policy promises is in test_backtest.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.backtest.policies import POLICIES
from tests.acceptance.test_backtest import replayed

pytestmark = [pytest.mark.accept, pytest.mark.long, pytest.mark.timeout(5400)]

PROMISED = ("next_period_map", "next_period_auroc", "past_map", "whole_map", "final_map", "final_worst")
OF_FAMILIES = {"zero_shot_ap", "zero_shot_recall", "samples_to_alarm", "final_ap", "n"}


@pytest.fixture(scope="module")
def found(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of all policies."""
    return replayed(test_data, tmp_path_factory.mktemp("policies"), tuple(POLICIES))


def test_all_five_policies_are_there_with_every_figure_under_both_profiles(found: dict[str, Any]) -> None:
    assert set(found["profiles"]) == {"raw", "laundered"}
    for own in found["profiles"].values():
        assert set(own["policies"]) == {"static", "gradient", "closed_form", "mixture", "oracle"} == set(POLICIES)
        for row in own["policies"].values():
            assert all(0.3 < row[name] <= 1.0 for name in PROMISED)  # an AP at even prevalence cannot be below .307
            assert row["false_alarms"] >= 0
            assert len(row["families"]) == 33
            assert all(set(family) >= OF_FAMILIES for family in row["families"].values())


def test_each_policy_learns_as_it_says(found: dict[str, Any]) -> None:
    made = found["profiles"]["raw"]["policies"]
    assert [made[name]["promotions"] for name in ("static", "oracle")] == [1, 1]
    assert made["mixture"]["promotions"] > 1
    alarmed = {
        name: sum(family["samples_to_alarm"] is not None for family in row["families"].values())
        for name, row in made.items()
    }
    challengers = {
        name: sum(row[what] for what in ("promotions", "held", "rejected")) - 1 for name, row in made.items()
    }
    assert challengers["static"] == 0
    assert 0 < challengers["gradient"] <= alarmed["gradient"]  # once at each alarm, alarms of one delivery together
    assert challengers["closed_form"] > 0
