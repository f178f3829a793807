"""The back-test of the shipped configuration on real pictures: what learning gives, and what the alarms cost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from daemon.shipped import shipped
from tests.acceptance.command import sidwatch
from tests.acceptance.conftest import Report

pytestmark = [pytest.mark.accept, pytest.mark.timeout(5400)]

CHOSEN = ("static", "mixture", "oracle")  # `make accept-long` replays all


@pytest.fixture(scope="module")
def found(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of the default policy and of what it is compared with."""
    return replayed(test_data, tmp_path_factory.mktemp("backtest"), CHOSEN)


def replayed(test_data: Path, folder: Path, policies: tuple[str, ...]) -> dict[str, Any]:
    """The report of some policies; the configuration is the shipped one, but for the encoder, which is named."""
    shutil.copy(str(shipped("config.yaml")), folder / "config.yaml")
    chosen = [argument for policy in policies for argument in ("--policy", policy)]
    manifest = str(test_data / "images" / "manifest.csv")
    made: dict[str, Any] = sidwatch(
        "backtest", manifest, "--encoder", "forensic", *chosen, "--json", folder=folder, timeout=5300
    ).json
    return made


@pytest.fixture(scope="module")
def raw(found: dict[str, Any]) -> dict[str, Any]:
    policies: dict[str, Any] = found["profiles"]["raw"]["policies"]
    return policies


def test_every_family_is_replayed_in_order_of_release(found: dict[str, Any], report: Report) -> None:
    assert found["pictures"] == 2767
    assert found["left_out"] == {}
    assert sum(len(period["families"]) for period in found["calendar"]) == 33
    days = [day for period in found["calendar"] for day in (period["first"], period["last"])]
    assert days == sorted(days)
    report("", "back-test: policy, next period mAP, past, whole, final, worst, forgetting, false alarms, promoted")
    for profile, own in found["profiles"].items():
        for name, row in own["policies"].items():
            figures = [row[f"{span}_map"] for span in ("next_period", "past", "whole", "final")]
            shown = " ".join(f"{value:.3f}" for value in (*figures, row["final_worst"], row["forgetting"]))
            report(f"  {profile:9s} {name:11s} {shown} {row['false_alarms']} {row['promotions']}")


@pytest.mark.parametrize("profile", ["raw", "laundered"])
def test_the_default_policy_loses_at_most_half_of_what_a_static_detector_loses(
    found: dict[str, Any], profile: str
) -> None:
    made = found["profiles"][profile]["policies"]
    assert 1 - made["mixture"]["next_period_map"] <= (1 - made["static"]["next_period_map"]) / 2


def test_the_default_policy_ends_where_a_joint_fit_ends(raw: dict[str, Any]) -> None:
    assert raw["mixture"]["final_map"] >= raw["oracle"]["final_map"] - 0.01


def test_every_family_that_evades_is_alarmed(raw: dict[str, Any]) -> None:
    families = raw["mixture"]["families"]
    evading = {f for f, own in families.items() if own["n"] >= 30 and _at_most(own["zero_shot_recall"], 0.1)}
    assert evading
    assert {family for family in evading if families[family]["samples_to_alarm"] is None} == set()


def test_no_family_that_is_detected_is_alarmed(raw: dict[str, Any]) -> None:
    families = raw["mixture"]["families"]
    detected = {
        family
        for family, own in families.items()
        if own["zero_shot_recall"] is not None and own["zero_shot_recall"] > 0.6 and own["zero_shot_auroc"] > 0.93
    }
    assert {family for family in detected if families[family]["samples_to_alarm"] is not None} == set()


def _at_most(value: float | None, most: float) -> bool:
    return value is not None and value <= most
