"""The gate's mode for another encoder and after forgetting: nothing need gain, nothing may be proved worse."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from daemon.model import Subject
from daemon.promote.comparison import GateSettings
from daemon.promote.gate import gate_forgetting, gate_migration
from daemon.promote.verdict import Verdict
from tests.unit.promote.binormal import holdout

QUICK = GateSettings(replicates=100)
WATCHING = replace(QUICK, unresolved="watch")
FOUR = ("old_a", "old_b", "old_c", "old_d")
EQUAL = dict.fromkeys(FOUR, (0.95, 0.95))


def judged(
    families: dict[str, tuple[float, float]],
    seed: int = 0,
    settings: GateSettings = WATCHING,
    alarmed: tuple[str, ...] = (),
    **options: int,
) -> Verdict:
    return gate_migration(holdout(seed, families, **options), [Subject("family", name) for name in alarmed], settings)


def test_an_equal_encoder_may_take_over_without_any_gain() -> None:
    verdicts = [judged(EQUAL, seed) for seed in range(40)]
    decisions = [verdict.decision for verdict in verdicts]
    assert decisions.count("promote") >= 30
    assert decisions.count("reject") <= 4
    assert all(verdict.learned == () for verdict in verdicts)
    assert all(verdict.reason.startswith("migration: ") for verdict in verdicts)


def test_an_encoder_that_loses_a_family_is_never_let_in() -> None:
    verdicts = [judged({**EQUAL, "old_b": (0.95, 0.80)}, seed) for seed in range(30)]
    assert {verdict.decision for verdict in verdicts} == {"reject"}
    assert all("old_b" in verdict.reason for verdict in verdicts)


def test_a_small_loss_everywhere_that_no_single_family_proves_is_not_let_in() -> None:
    verdicts = [judged(dict.fromkeys(FOUR, (0.95, 0.92)), seed, n=60) for seed in range(30)]
    assert [verdict.decision for verdict in verdicts].count("promote") <= 1


def test_more_accused_reals_reject_whatever_the_families_say() -> None:
    comparisons = [
        replace(comparison, threshold_challenger=comparison.threshold_challenger - 0.8)
        for comparison in holdout(0, dict.fromkeys(FOUR, (0.80, 0.95)))
    ]
    verdict = gate_migration(comparisons, (), WATCHING)
    assert verdict.decision == "reject"
    assert "share of reals called synthetic" in verdict.reason


def test_what_evades_now_and_is_proved_better_counts_as_learned() -> None:
    families = {"new": (0.60, 0.95), "stuck": (0.60, 0.60), **EQUAL}
    verdict = judged(families, alarmed=("new", "stuck", "never_seen"))
    assert verdict.decision == "promote"
    assert verdict.learned == (Subject("family", "new"),)
    outcomes = {c.subject.name: c.outcome for c in verdict.checks if c.name == "trigger" and c.subject}
    assert outcomes == {"new": "superior", "stuck": "not_superior"}
    # An alarmed family is no exception from the rule that none may be proved worse.
    worse = judged({**families, "stuck": (0.80, 0.55)}, alarmed=("stuck",))
    assert worse.decision == "reject" and "stuck" in worse.reason and worse.learned == ()


def test_without_a_family_of_ten_groups_nothing_is_decided() -> None:
    verdict = judged(dict.fromkeys(FOUR, (0.95, 0.95)), n=8)
    assert verdict.decision == "hold"
    assert "no family has the 10 groups" in verdict.reason


def test_an_undecided_mean_holds_where_the_settings_say_so() -> None:
    wide = [judged(dict.fromkeys(FOUR, (0.80, 0.80)), seed, QUICK, n=15, correlation=0.5) for seed in range(10)]
    assert [verdict.decision for verdict in wide].count("promote") <= 2  # by luck it looks better
    assert any("harm is not excluded" in verdict.reason for verdict in wide)


def test_every_number_is_in_the_verdict() -> None:
    verdict = judged(EQUAL)
    names = {(check.name, check.profile) for check in verdict.checks}
    for profile in ("raw", "laundered"):
        assert {(name, profile) for name in ("family", "macro_mean", "false_positive_rate", "source")} <= names
    assert "trigger_mean" not in {name for name, _ in names}
    plain = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert len(plain["checks"]) == len(verdict.checks)
    assert all(np.isfinite(check["difference"]) for check in plain["checks"])


def test_after_forgetting_the_same_is_asked_and_the_reason_says_so() -> None:
    families = {"new": (0.60, 0.95), **EQUAL}
    for pairs in (families, {**families, "old_b": (0.95, 0.80)}):
        moved = judged(pairs, alarmed=("new",))
        forgot = gate_forgetting(holdout(0, pairs), [Subject("family", "new")], WATCHING)
        assert (forgot.decision, forgot.checks, forgot.learned) == (moved.decision, moved.checks, moved.learned)
        assert forgot.reason == moved.reason.replace("migration: ", "after forgetting: ", 1)


def test_a_raw_comparison_is_needed() -> None:
    with pytest.raises(ValueError, match="one raw comparison"):
        gate_migration([c for c in holdout(0, EQUAL) if c.profile == "laundered"], (), QUICK)
