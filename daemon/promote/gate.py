"""The gate: may the challenger take the champion's place?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy.special import ndtri

from daemon.model import Subject
from daemon.promote.comparison import Comparison, GateSettings
from daemon.promote.difference import Difference, profile_differences, subject_rows
from daemon.promote.family_checks import family_checks, macro_check, trigger_checks
from daemon.promote.real_checks import (
    calibration_check,
    left_out_flags,
    pooled_rate_check,
    source_checks,
    threshold_flags,
)
from daemon.promote.recall_check import RECALL_KEPT, recall_check
from daemon.promote.verdict import Check, Decision, Verdict, first

POWER = 0.8  # below this chance to pass for an equal challenger, a question counts as unresolvable


def gate(
    comparisons: Sequence[Comparison],
    triggers: Sequence[Subject],
    attempt: int,
    settings: GateSettings,
) -> Verdict:
    """Champion against challenger on the same rows.

    comparisons: one per profile, `raw` among them. triggers: what the challenger was made for, families as a
    rule; a misjudged real source counts by the drop of its false-positive rate. attempt: 1 for the first
    challenger judged on this holdout epoch.
    Promote needs: superior on the triggers (raw); no other family and, laundered, no trigger proved worse;
    the mean of the other families non-inferior; no proved or possible rise of the false-positive rate beyond
    the margin; no real source proved worse; calibration not worse; at least half as many fakes called synthetic at
    its own threshold. What is proved bad rejects, what is not
    proved good holds. Raises ValueError without a raw comparison or triggers. Source: method section 5.
    """
    raw = [comparison for comparison in comparisons if comparison.profile == "raw"]
    if len(raw) != 1 or len({comparison.profile for comparison in comparisons}) != len(comparisons):
        raise ValueError("the gate needs one raw comparison and at most one per other profile")
    if not triggers:
        raise ValueError("the gate needs at least one trigger")
    alpha = settings.attempt_alpha(attempt)
    by_profile = profile_differences(comparisons, settings)
    raw_families = by_profile[comparisons.index(raw[0])]
    gains = [_gain(raw[0], raw_families, trigger) for trigger in dict.fromkeys(triggers)]
    found = [gain for gain in gains if gain is not None]
    trigger_side = trigger_checks(found, alpha, settings)
    harm_side = _harm_checks(comparisons, by_profile, frozenset(triggers), settings)
    checks = (*trigger_side, *harm_side)
    decision, reason, harm = _decide(trigger_side, harm_side, found, settings)
    learned = [check.subject for check in trigger_side if check.outcome == "superior" and check.subject]
    return Verdict(decision, reason, checks, tuple(learned) if decision == "promote" else (), harm)


def gate_migration(comparisons: Sequence[Comparison], alarmed: Sequence[Subject], settings: GateSettings) -> Verdict:
    """Champion against the challenger of another encoder, on the same rows: nothing triggered it, so nothing need gain.

    comparisons: one per profile, `raw` among them, each model's scores by its own encoder's vectors. alarmed: families
    that evade the champion; those proved better count as learned, the others stay alarmed.
    Raises ValueError without a raw comparison.
    """
    return _non_inferior("migration", comparisons, alarmed, settings)


def gate_forgetting(comparisons: Sequence[Comparison], alarmed: Sequence[Subject], settings: GateSettings) -> Verdict:
    """Champion against a challenger that was solved without what the champion holds and somebody had forgotten.

    Nobody forgets in order to gain: it is judged as a migration is. Raises ValueError without a raw comparison.
    """
    return _non_inferior("after forgetting", comparisons, alarmed, settings)


def gate_recalibration(comparisons: Sequence[Comparison], settings: GateSettings) -> Verdict:
    """Champion against its own head with other thresholds and another calibration: it is judged as a migration is.

    Scores are the same, so only the questions about reals and about probabilities can answer otherwise than "equal".
    It may call far fewer fakes synthetic, for reals that score higher want a higher threshold, but not none.
    Raises ValueError without a raw comparison.
    """
    return _non_inferior("recalibration", comparisons, (), settings, recall_kept=0.0)


def _non_inferior(
    what: str,
    comparisons: Sequence[Comparison],
    alarmed: Sequence[Subject],
    settings: GateSettings,
    recall_kept: float = RECALL_KEPT,
) -> Verdict:
    """Whether the challenger may follow without being better; `what` asked for it.

    Promote needs non-inferiority: no family proved worse under either profile, the mean of the families non-inferior,
    no proved or possible rise of the false-positive rate beyond the margin, no real source proved worse, calibration
    not worse, at least half as many fakes called synthetic, and at least one family with enough groups to be judged.
    What is proved bad rejects, what is not proved harmless holds (or is watched, as `unresolved` says).
    """
    raw = [comparison for comparison in comparisons if comparison.profile == "raw"]
    if len(raw) != 1 or len({comparison.profile for comparison in comparisons}) != len(comparisons):
        raise ValueError("the gate needs one raw comparison and at most one per other profile")
    by_profile = profile_differences(comparisons, settings)
    raw_families = by_profile[comparisons.index(raw[0])]
    gains = [raw_families[family] for family in dict.fromkeys(alarmed) if family in raw_families]
    gained = [c for c in trigger_checks(gains, settings.superiority_alpha, settings) if c.name == "trigger"]
    harm_side = _harm_checks(comparisons, by_profile, frozenset(), settings, recall_kept)
    decision, reason = _decide_non_inferior(what, harm_side, settings)
    learned = [check.subject for check in gained if check.outcome == "superior" and check.subject]
    return Verdict(decision, reason, (*gained, *harm_side), tuple(learned) if decision == "promote" else ())


def _gain(raw: Comparison, families: dict[Subject, Difference], trigger: Subject) -> Difference | None:
    if trigger.kind == "family":
        return families.get(trigger)
    rows = subject_rows(raw, synthetic=False).get(trigger)
    if rows is None:
        return None
    rise = threshold_flags(raw).difference(trigger, rows)
    return replace(rise, value=-rise.value)


def _harm_checks(
    comparisons: Sequence[Comparison],
    by_profile: Sequence[dict[Subject, Difference]],
    triggers: frozenset[Subject],
    settings: GateSettings,
    recall_kept: float = RECALL_KEPT,
) -> list[Check]:
    tested, macro = [], []
    for families in by_profile:
        others = [difference for subject, difference in families.items() if subject not in triggers]
        # A trigger's raw figure has its own, stricter test; laundered it must at least not be worse.
        tested += [d for s, d in families.items() if s not in triggers or d.profile != "raw"]
        macro.append(macro_check(others, settings))
    at_threshold = [threshold_flags(comparison) for comparison in comparisons]
    left_out = [flags for flags in map(left_out_flags, comparisons) if flags is not None]
    calibration = [calibration_check(comparison, settings) for comparison in comparisons]
    return [
        *family_checks(tested, settings),
        *(check for check in macro if check is not None),
        *(pooled_rate_check(flags, "false_positive_rate", settings) for flags in at_threshold),
        *source_checks(at_threshold, "source", settings),
        *(pooled_rate_check(flags, "left_out_rate", settings) for flags in left_out),
        *source_checks(left_out, "left_out_source", settings),
        *(recall_check(flags, settings, recall_kept) for flags in at_threshold),
        *(check for check in calibration if check is not None),
    ]


def _decide(
    trigger_side: Sequence[Check],
    harm_side: Sequence[Check],
    gains: Sequence[Difference],
    settings: GateSettings,
) -> tuple[Decision, str, bool]:
    """The decision, why, and whether harm is what keeps the challenger out."""
    harmed = first([*trigger_side, *harm_side], "worse", "failed")
    if harmed is not None:
        return "reject", f"proved worse: {describe(harmed)}", True
    mean = next((check for check in trigger_side if check.name == "trigger_mean"), None)
    if mean is None:
        most = max((gain.groups for gain in gains), default=0)
        return (
            "hold",
            f"too few samples of every trigger: at most {most} groups, {settings.min_groups} needed",
            False,
        )
    if mean.outcome != "superior":
        return "hold", f"not proved better: {describe(mean)}; {_more_samples(mean, gains)}", False
    blocking, watched = _undecided(harm_side, settings)
    if blocking is not None:
        return "hold", f"better on the triggers, but harm is not excluded: {describe(blocking)}", True
    rate = next(check for check in harm_side if check.name == "false_positive_rate")
    proof = f"proved better: {describe(mean)}; no family or real source proved worse; {describe(rate)}"
    return "promote", proof + _listed(watched, rate), False


def _decide_non_inferior(what: str, harm_side: Sequence[Check], settings: GateSettings) -> tuple[Decision, str]:
    harmed = first(harm_side, "worse", "failed")
    if harmed is not None:
        return "reject", f"{what}: proved worse: {describe(harmed)}"
    mean = next((check for check in harm_side if check.name == "macro_mean" and check.profile == "raw"), None)
    if mean is None:
        return "hold", f"{what}: no family has the {settings.min_groups} groups that can be judged"
    blocking, watched = _undecided(harm_side, settings)
    if blocking is not None:
        return "hold", f"{what}: harm is not excluded: {describe(blocking)}"
    rate = next(check for check in harm_side if check.name == "false_positive_rate")
    proof = f"{what}: no family or real source proved worse; {describe(mean)}; {describe(rate)}"
    return "promote", proof + _listed([check for check in watched if check is not mean], rate)


def _undecided(harm_side: Sequence[Check], settings: GateSettings) -> tuple[Check | None, list[Check]]:
    """What blocks a promotion for want of samples, if anything, and what is to be watched after one.

    A single undecided family is listed and watched; the mean over them and the rates must be decided.
    """
    decisive = ("macro_mean", "false_positive_rate", "left_out_rate", "recall")
    undecided = [check for check in harm_side if check.name in decisive and check.outcome == "undecided"]
    return next((check for check in undecided if not _may_be_watched(check, settings)), None), undecided


def _listed(watched: Sequence[Check], said: Check) -> str:
    return "".join(f"; to be watched: {describe(check)}" for check in watched if check is not said)


def _may_be_watched(check: Check, settings: GateSettings) -> bool:
    if settings.unresolved == "hold" or check.name == "recall":
        return False
    is_mean = check.name == "macro_mean"
    margin = settings.macro_margin if is_mean else settings.rate_margin
    loss = -check.difference if is_mean else check.difference
    # A harmless challenger passes with probability .8 only when bound and luck together fit into the margin.
    needed = 1.0 + float(ndtri(POWER) / ndtri(1.0 - settings.bound_alpha))
    return loss <= margin < needed * (check.upper - check.lower) / 2.0


def describe(check: Check) -> str:
    """One check as a phrase with its numbers."""
    what = check.name.replace("_", " ") if check.subject is None else f"{check.subject.kind} {check.subject.name}"
    measure = "balanced Brier score" if check.name == "calibration" else "AP"
    measure = "share of fakes called synthetic" if check.name == "recall" else measure
    of_reals = check.subject is not None and check.subject.kind == "source"
    if of_reals or check.name in {"false_positive_rate", "left_out_rate"}:
        measure = "share of reals called synthetic"
    before = "none" if check.champion is None else f"{check.champion:.3f}"
    return (
        f"{what} ({check.profile}, n {check.n}): {measure} {before} -> {check.challenger:.3f}, difference "
        f"{check.difference:+.4f} [{check.lower:+.4f}, {check.upper:+.4f}] at alpha {check.alpha:.2g}"
    )


def _more_samples(mean: Check, gains: Sequence[Difference]) -> str:
    if mean.difference <= 0.0:
        return "no gain is seen, so more samples are unlikely to help"
    # The bound's reach shrinks with the square root of n: how many would bring it down to the gain seen?
    reach = mean.difference - mean.lower
    needed = math.ceil(mean.n * (reach / mean.difference) ** 2) - mean.n
    return f"about {max(1, needed)} more samples would decide if the gain stays as it is"
