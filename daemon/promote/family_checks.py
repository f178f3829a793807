"""The gate's questions about families: are the triggers better, is any other family worse?"""

from __future__ import annotations

from collections.abc import Sequence

from daemon.model import Subject
from daemon.promote.comparison import GateSettings
from daemon.promote.difference import Difference, holm, mean_difference
from daemon.promote.verdict import Check, CheckName, Outcome


def trigger_checks(gains: Sequence[Difference], alpha: float, settings: GateSettings) -> list[Check]:
    """Superiority of the mean over the triggers, then of each by Holm, all at the attempt's level.

    gains: one per trigger, under the raw profile. Triggers with too few groups are listed as undecided.
    Returns no `trigger_mean` when every trigger has too few. Source: method section 5.
    """
    judged = [gain for gain in gains if gain.groups >= settings.min_groups]
    waiting = [gain for gain in gains if gain.groups < settings.min_groups]
    checks = []
    if judged:
        mean = mean_difference(judged) if len(judged) > 1 else judged[0]
        proved = mean.p_better() <= alpha and mean.lower(alpha) > 0.0
        outcome: Outcome = "superior" if proved else "worse" if mean.upper(alpha) < 0.0 else "not_superior"
        checks.append(as_check("trigger_mean", mean, alpha, alpha, alpha, outcome, None))
    levels = holm([gain.p_better() for gain in judged], alpha)
    for gain, (level, proved) in zip(judged, levels, strict=True):
        outcome = "superior" if proved and gain.lower(level) > 0.0 else "not_superior"
        checks.append(as_check("trigger", gain, level, level, level, outcome, gain.subject))
    checks += [as_check("trigger", gain, alpha, alpha, alpha, "undecided", gain.subject) for gain in waiting]
    return checks


def family_checks(differences: Sequence[Difference], settings: GateSettings) -> list[Check]:
    """Whether each family is worse (Holm over all of them), non-inferior at the margin, or undecided.

    differences: families that did not trigger under any profile, triggers under the laundered one.
    Families with too few groups are listed as undecided and not tested. Source: method section 5.
    """
    judged = [d for d in differences if d.groups >= settings.min_groups]
    levels = iter(holm([d.p_worse() for d in judged], settings.harm_alpha))
    checks = []
    for d in differences:
        level, worse = next(levels) if d.groups >= settings.min_groups else (settings.harm_alpha, False)
        outcome: Outcome = "undecided"
        if worse and d.upper(level) < 0.0:
            outcome = "worse"
        elif d.groups >= settings.min_groups and d.lower(settings.bound_alpha) > -settings.family_margin:
            outcome = "non_inferior"
        checks.append(as_check("family", d, settings.bound_alpha, level, level, outcome, d.subject))
    return checks


def macro_check(others: Sequence[Difference], settings: GateSettings) -> Check | None:
    """Non-inferiority of the mean AP over one profile's families that did not trigger; None without any."""
    judged = [d for d in others if d.groups >= settings.min_groups]
    if not judged:
        return None
    mean, alpha = mean_difference(judged), settings.bound_alpha
    outcome: Outcome = "undecided"
    if mean.lower(alpha) > -settings.macro_margin:
        outcome = "non_inferior"
    elif mean.upper(alpha) < -settings.macro_margin:
        outcome = "worse"
    return as_check("macro_mean", mean, alpha, alpha, alpha, outcome, None)


def as_check(
    name: CheckName,
    difference: Difference,
    lower_alpha: float,
    upper_alpha: float,
    alpha: float,
    outcome: Outcome,
    subject: Subject | None,
) -> Check:
    """The difference as a line of the verdict."""
    return Check(
        name=name,
        profile=difference.profile,
        subject=subject,
        champion=difference.champion,
        challenger=difference.challenger,
        difference=difference.value,
        lower=difference.lower(lower_alpha),
        upper=difference.upper(upper_alpha),
        alpha=alpha,
        n=difference.n,
        outcome=outcome,
    )
