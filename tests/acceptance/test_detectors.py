"""The alarms' seeded figures: how soon, how seldom wrong, and beside river's detectors."""

from __future__ import annotations

import pytest

from benchmarks.detectors.__main__ import WITHIN, Size, measure, ours_against_the_best
from benchmarks.detectors.contestants import ECusumContestant, rivers
from benchmarks.detectors.new_family import new_family
from benchmarks.detectors.tuning import TOLERANCE
from tests.acceptance.conftest import Report

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]


def test_a_new_family_is_proved_to_evade_within_the_promised_votes_and_a_healthy_one_is_left_alone(
    report: Report,
) -> None:
    found = new_family(families=400, length=400)
    report("", f"new family, alpha .001: {found}")
    assert found["median_votes_at_0.50"] <= 10
    assert found["median_votes_at_0.80"] <= 60
    assert found["false_alarm_share_at_0.95"] <= found["alpha"]


def test_ours_is_within_the_promised_share_of_the_best_at_every_change(report: Report) -> None:
    wanted = 30_000.0  # a third of the benchmark's run length, and without its slow detectors
    fast = [detector for detector in rivers(None) if detector.name in ("ADWIN", "PageHinkley")]
    found = measure(Size(streams=60, length=10_000, repeats=100), [ECusumContestant(), *fast], wanted)
    ratios = ours_against_the_best(found["tuned"])
    report("", f"detectors at a run length of {wanted:.0f}, ours / best: {ratios}")
    for line in found["tuned"]:
        assert abs(line["run_length"] / wanted - 1.0) <= TOLERANCE, line["detector"]
    assert max(ratios.values()) <= WITHIN
