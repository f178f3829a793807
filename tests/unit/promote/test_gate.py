"""The gate on simulated holdouts whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from daemon.model import Subject
from daemon.promote.comparison import Comparison, GateSettings
from daemon.promote.gate import gate, gate_forgetting, gate_recalibration
from daemon.promote.verdict import Verdict
from tests.unit.promote.binormal import holdout

NEW = Subject("family", "new")
QUICK = GateSettings(replicates=100)
OTHERS = dict.fromkeys(("old_a", "old_b", "old_c", "old_d"), (0.95, 0.95))
LEARNED = {"new": (0.60, 0.95), **OTHERS}


def judged(families: dict[str, tuple[float, float]], seed: int = 0, **options: int) -> Verdict:
    return gate(holdout(seed, families, **options), [NEW], 1, QUICK)


def checks(verdict: Verdict, name: str) -> list[tuple[str, str, str]]:
    return [
        (check.profile, check.subject.name if check.subject else "", check.outcome)
        for check in verdict.checks
        if check.name == name
    ]


@pytest.mark.accept
def test_equal_models_are_promoted_in_at_most_two_of_a_hundred_gates() -> None:
    decisions = [judged({"new": (0.8, 0.8), **OTHERS}, seed).decision for seed in range(200)]
    assert decisions.count("promote") <= 4
    assert decisions.count("reject") <= 20


@pytest.mark.accept
def test_five_points_of_ap_on_a_hundred_fakes_are_promoted_in_most_gates() -> None:
    decisions = [judged({"new": (0.80, 0.85), **OTHERS}, seed).decision for seed in range(100)]
    assert decisions.count("promote") >= 85


def test_a_challenger_that_ruins_another_family_is_never_promoted() -> None:
    ruin = {"new": (0.60, 0.95), **OTHERS, "old_b": (0.95, 0.85)}
    verdicts = [judged(ruin, seed) for seed in range(10)]
    assert {(verdict.decision, verdict.harm) for verdict in verdicts} == {("reject", True)}
    assert all("old_b" in verdict.reason for verdict in verdicts)


def test_a_promotion_names_its_numbers_and_what_was_learned() -> None:
    verdict = judged(LEARNED)
    assert verdict.decision == "promote"
    assert verdict.learned == (NEW,)
    (mean,) = (check for check in verdict.checks if check.name == "trigger_mean")
    assert f"{mean.champion:.3f} -> {mean.challenger:.3f}" in verdict.reason
    assert mean.lower > 0.2
    assert "\n" not in verdict.reason
    assert checks(verdict, "macro_mean") == [("raw", "", "non_inferior"), ("laundered", "", "non_inferior")]
    assert ("laundered", "new", "non_inferior") in checks(verdict, "family")
    assert ("raw", "new", "non_inferior") not in checks(verdict, "family")


def test_only_triggers_proved_better_one_by_one_count_as_learned() -> None:
    families = {"new": (0.60, 0.95), "stuck": (0.70, 0.70), **OTHERS}
    triggers = [NEW, Subject("family", "stuck")]
    for seed in (3, 4, 5, 6):  # by luck the second looks better on some of them
        verdict = gate(holdout(seed, families), triggers, 1, replace(QUICK, unresolved="watch"))
        assert verdict.decision == "promote"
        assert verdict.learned == (NEW,)
    assert checks(verdict, "trigger") == [("raw", "new", "superior"), ("raw", "stuck", "not_superior")]


def test_a_gain_that_is_not_proved_holds_and_says_how_many_samples_would_help() -> None:
    verdict = judged({"new": (0.80, 0.83), **OTHERS}, seed=1, n=25)
    assert verdict.decision == "hold" and not verdict.harm
    assert "more samples would decide" in verdict.reason


def test_fewer_than_ten_groups_of_every_trigger_hold_whatever_the_gain() -> None:
    verdict = judged({"new": (0.40, 0.99), "old": (0.95, 0.95)}, n=9)
    assert verdict.decision == "hold"
    assert "at most 9 groups, 10 needed" in verdict.reason


def test_a_burst_of_one_prompt_counts_as_one_group() -> None:
    burst = [
        replace(
            comparison,
            groups=tuple(
                f"prompt{row % 3}" if subject == NEW else group
                for row, (subject, group) in enumerate(zip(comparison.subjects, comparison.groups, strict=True))
            ),
        )
        for comparison in holdout(0, LEARNED)
    ]
    verdict = gate(burst, [NEW], 1, QUICK)
    assert verdict.decision == "hold"
    assert "at most 3 groups" in verdict.reason


def test_a_trigger_that_the_holdout_does_not_know_holds() -> None:
    verdict = gate(holdout(0, OTHERS), [NEW], 1, QUICK)
    assert verdict.decision == "hold"
    assert "at most 0 groups" in verdict.reason


def test_a_trigger_proved_worse_rejects() -> None:
    assert judged({"new": (0.90, 0.70), **OTHERS}).decision == "reject"


def test_a_trigger_that_gets_worse_laundered_rejects() -> None:
    raw, laundered = holdout(0, LEARNED)
    swapped = replace(
        laundered, scores_champion=laundered.scores_challenger, scores_challenger=laundered.scores_champion
    )
    verdict = gate([raw, swapped], [NEW], 1, QUICK)
    assert verdict.decision == "reject"
    assert "family new (laundered" in verdict.reason


def test_later_attempts_on_one_epoch_need_more_proof() -> None:
    alphas = [QUICK.attempt_alpha(attempt) for attempt in range(1, 2000)]
    assert alphas[0] == pytest.approx(0.00608, abs=1e-5)
    assert alphas[1] == pytest.approx(alphas[0] / 4)
    assert 0.0099 < sum(alphas) < 0.01
    comparisons = holdout(2, {"new": (0.80, 0.85), **OTHERS})
    first, tenth = (gate(comparisons, [NEW], attempt, QUICK) for attempt in (1, 10))
    assert tenth.checks[0].alpha == pytest.approx(first.checks[0].alpha / 100)
    assert tenth.checks[0].lower < first.checks[0].lower


def with_flags(comparison: Comparison, source: str, every: int) -> Comparison:
    """The challenger newly accuses one in `every` reals of a source."""
    rows = [row for row, subject in enumerate(comparison.subjects) if subject == Subject("source", source)]
    scores = comparison.scores_challenger.copy()
    scores[rows[::every]] = comparison.threshold_challenger + 0.01
    return replace(comparison, scores_challenger=scores)


def test_many_more_accused_reals_reject() -> None:
    comparisons = [replace(c, threshold_challenger=1.0) for c in holdout(0, LEARNED)]
    verdict = gate(comparisons, [NEW], 1, QUICK)
    assert verdict.decision == "reject"
    assert ("raw", "", "failed") in checks(verdict, "false_positive_rate")


def test_a_rise_that_few_reals_cannot_exclude_holds() -> None:
    verdict = judged(LEARNED, reals=60, n=40, seed=4)
    assert verdict.decision == "hold"
    assert "harm is not excluded" in verdict.reason
    assert verdict.to_dict()["harm"] is True


def test_what_few_samples_cannot_decide_may_be_watched_instead() -> None:
    comparisons = holdout(4, LEARNED, reals=60, n=40)
    held = gate(comparisons, [NEW], 1, QUICK)
    watched = gate(comparisons, [NEW], 1, replace(QUICK, unresolved="watch"))
    assert held.checks == watched.checks
    assert (held.decision, watched.decision) == ("hold", "promote")
    assert "to be watched" in watched.reason


def test_a_loss_beyond_the_margin_is_never_merely_watched() -> None:
    slipped = dict.fromkeys(OTHERS, (0.95, 0.94))
    settings = replace(QUICK, unresolved="watch")
    held_for_the_loss = 0
    for seed in range(20):
        verdict = gate(holdout(seed, {"new": (0.60, 0.95), **slipped}, n=30), [NEW], 1, settings)
        lost = any(check.name == "macro_mean" and check.difference < -settings.macro_margin for check in verdict.checks)
        assert not (lost and verdict.decision == "promote")
        held_for_the_loss += lost and verdict.decision == "hold"
    assert held_for_the_loss >= 3


def test_one_real_source_proved_worse_rejects_although_the_pool_hardly_moves() -> None:
    raw, laundered = holdout(0, LEARNED, sources=10, reals=2000)
    verdict = gate([with_flags(raw, "s7", every=8), laundered], [NEW], 1, QUICK)
    assert ("raw", "", "passed") in checks(verdict, "false_positive_rate")
    assert verdict.decision == "reject"
    assert "source s7 (raw, n 200)" in verdict.reason


def test_small_sources_are_judged_together() -> None:
    verdict = judged(LEARNED, sources=20)
    assert checks(verdict, "source") == [
        ("raw", "small_sources", "passed"),
        ("laundered", "small_sources", "passed"),
    ]


def test_a_misjudged_real_source_may_be_the_trigger() -> None:
    trigger = Subject("source", "s3")
    raw, laundered = holdout(0, OTHERS)
    swapped = with_flags(raw, "s3", every=3)
    relieved = replace(raw, scores_champion=swapped.scores_challenger, scores_challenger=raw.scores_champion)
    verdict = gate([relieved, laundered], [trigger], 1, QUICK)
    assert verdict.decision == "promote"
    assert verdict.learned == (trigger,)
    assert "share of reals called synthetic" in verdict.reason


def test_left_out_sources_are_judged_when_they_are_given() -> None:
    raw, laundered = holdout(0, LEARNED)
    rows = np.arange(len(raw.groups))
    calm = rows % 20 == 0
    given = replace(raw, left_out_champion=calm, left_out_challenger=calm)
    verdict = gate([given, laundered], [NEW], 1, QUICK)
    assert verdict.decision == "promote"
    assert checks(verdict, "left_out_rate") == [("raw", "", "passed")]
    worse = replace(raw, left_out_champion=calm, left_out_challenger=rows % 5 == 0)
    verdict = gate([worse, laundered], [NEW], 1, QUICK)
    assert verdict.decision == "reject"
    assert "left out rate" in verdict.reason


def test_a_detector_that_calls_nothing_synthetic_any_more_is_not_promoted() -> None:
    """It accuses no real picture, and AP knows no threshold: nothing else would keep it out."""
    comparisons = holdout(0, LEARNED)
    none, huge = ([replace(c, threshold_challenger=t) for c in comparisons] for t in (np.inf, 1e308))
    for settings in (QUICK, replace(QUICK, unresolved="watch")):
        held = gate(none, [NEW], 1, settings)
        assert held.decision == "hold" and "share of fakes called synthetic" in held.reason  # more reals would help
        assert checks(held, "recall") == [("raw", "", "undecided"), ("laundered", "", "undecided")]
        json.dumps(held.to_dict(), allow_nan=False)
        assert gate(huge, [NEW], 1, settings).decision == "reject"
        assert gate_recalibration(none, settings).decision == "hold"
        assert gate_forgetting(huge, [], settings).decision == "reject"


def test_fewer_fakes_called_synthetic_are_no_harm_as_long_as_they_are_half() -> None:
    raw, laundered = holdout(0, LEARNED)
    fakes = raw.scores_challenger[raw.synthetic]
    for kept, outcome in ((0.6, "passed"), (0.3, "failed")):
        found = (raw.scores_champion[raw.synthetic] > raw.threshold_champion).mean()
        stricter = replace(raw, threshold_challenger=float(np.quantile(fakes, 1.0 - kept * found)))
        verdict = gate([stricter, laundered], [NEW], 1, QUICK)
        assert checks(verdict, "recall") == [("raw", "", outcome), ("laundered", "", "passed")]
    blind = [replace(c, threshold_champion=np.inf) for c in (raw, laundered)]
    assert {outcome for _, _, outcome in checks(gate(blind, [NEW], 1, QUICK), "recall")} == {"passed"}


def test_dishonest_probabilities_reject() -> None:
    raw, laundered = holdout(0, LEARNED)
    honest = np.where(raw.synthetic, 0.9, 0.1)
    boastful = np.where(np.arange(honest.size) % 5 == 0, 1.0 - honest, honest)
    given = replace(raw, probabilities_champion=honest, probabilities_challenger=honest)
    assert gate([given, laundered], [NEW], 1, QUICK).decision == "promote"
    given = replace(raw, probabilities_champion=honest, probabilities_challenger=boastful)
    verdict = gate([given, laundered], [NEW], 1, QUICK)
    assert verdict.decision == "reject"
    (brier,) = (check for check in verdict.checks if check.name == "calibration")
    assert brier.champion == pytest.approx(0.01)
    assert brier.challenger == pytest.approx(0.01 * 0.8 + 0.81 * 0.2, abs=1e-3)


def test_the_same_question_gets_the_same_answer_and_json_can_carry_it() -> None:
    first, second = judged(LEARNED, n=12), judged(LEARNED, n=12)
    assert first == second
    told = json.loads(json.dumps(first.to_dict(), allow_nan=False))
    assert told["decision"] == first.decision
    assert told["checks"][0]["lower"] == first.checks[0].lower
    assert told["checks"][1]["subject"] == ["family", "new"]


def test_the_order_of_rows_does_not_matter() -> None:
    comparisons = holdout(5, LEARNED, n=30, reals=300)
    order = np.random.default_rng(0).permutation(len(comparisons[0].groups))
    shuffled = [
        replace(
            c,
            scores_champion=c.scores_champion[order],
            scores_challenger=c.scores_challenger[order],
            synthetic=c.synthetic[order],
            subjects=tuple(c.subjects[i] for i in order),
            groups=tuple(c.groups[i] for i in order),
        )
        for c in comparisons
    ]
    before, after = gate(comparisons, [NEW], 1, QUICK), gate(shuffled, [NEW], 1, QUICK)
    assert before.decision == after.decision
    for one, other in zip(before.checks, after.checks, strict=True):
        assert (one.lower, one.upper) == pytest.approx((other.lower, other.upper), abs=1e-9)


def test_questions_without_an_answer_are_refused() -> None:
    raw, laundered = holdout(0, LEARNED, n=10, reals=20)
    with pytest.raises(ValueError, match="one raw comparison"):
        gate([laundered], [NEW], 1, QUICK)
    with pytest.raises(ValueError, match="one raw comparison"):
        gate([raw, laundered, laundered], [NEW], 1, QUICK)
    with pytest.raises(ValueError, match="at least one trigger"):
        gate([raw], [], 1, QUICK)
    with pytest.raises(ValueError, match="counted from 1"):
        gate([raw], [NEW], 0, QUICK)
    with pytest.raises(ValueError, match="differ in length"):
        replace(raw, groups=raw.groups[1:])
    with pytest.raises(ValueError, match="NaN"):
        replace(raw, scores_champion=np.full_like(raw.scores_champion, np.nan))
    with pytest.raises(ValueError, match="reals and fakes"):
        replace(raw, synthetic=np.ones_like(raw.synthetic))
    with pytest.raises(ValueError, match="both models or for neither"):
        replace(raw, left_out_champion=raw.synthetic)
