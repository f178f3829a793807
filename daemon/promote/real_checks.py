"""The gate's questions about reals: are more of them accused, are probabilities less honest?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.evaluate.intervals import sum_by_group
from daemon.model import Subject
from daemon.promote.comparison import Comparison, GateSettings
from daemon.promote.difference import Difference, holm, rate_difference, sign_test, subject_rows
from daemon.promote.family_checks import as_check
from daemon.promote.verdict import Check, CheckName, Outcome

SMALL_SOURCES = Subject("source", "small_sources")  # those with too few pictures, judged as one


@dataclass(frozen=True, slots=True)
class Flags:
    """Which samples both models call synthetic, under one profile."""

    comparison: Comparison
    champion: NDArray[np.bool_]  # (n,)
    challenger: NDArray[np.bool_]  # (n,)

    def difference(self, subject: Subject | None, rows: NDArray[np.intp]) -> Difference:
        """Increase of the share flagged among the rows."""
        groups = [self.comparison.groups[i] for i in rows]
        return rate_difference(self.comparison.profile, subject, self.champion[rows], self.challenger[rows], groups)

    def p_worse(self, rows: NDArray[np.intp]) -> float:
        """Exact p-value of "the challenger flags no more of the rows"."""
        return sign_test(self.champion[rows], self.challenger[rows], [self.comparison.groups[i] for i in rows])


def threshold_flags(comparison: Comparison) -> Flags:
    """Flags at each model's own threshold."""
    return Flags(
        comparison,
        comparison.scores_champion > comparison.threshold_champion,
        comparison.scores_challenger > comparison.threshold_challenger,
    )


def left_out_flags(comparison: Comparison) -> Flags | None:
    """Flags under heads solved without the row's own source, if they were given."""
    if comparison.left_out_champion is None or comparison.left_out_challenger is None:
        return None
    return Flags(comparison, comparison.left_out_champion, comparison.left_out_challenger)


def pooled_rate_check(flags: Flags, name: CheckName, settings: GateSettings) -> Check:
    """Whether the increase over all reals is surely at most the margin. Source: method section 5."""
    alpha = settings.bound_alpha
    difference = flags.difference(None, np.flatnonzero(~flags.comparison.synthetic))
    outcome: Outcome = "undecided"
    if difference.upper(alpha) <= settings.rate_margin:
        outcome = "passed"
    elif difference.lower(alpha) > settings.rate_margin:
        outcome = "failed"
    return as_check(name, difference, alpha, alpha, alpha, outcome, None)


def source_checks(profiles: Sequence[Flags], name: CheckName, settings: GateSettings) -> list[Check]:
    """Whether any real source is proved worse, by exact sign tests and Holm over sources and profiles.

    Sources with fewer than `small_source` pictures are judged together. Source: method section 5.
    """
    asked = [(flags, *item) for flags in profiles for item in _sources(flags.comparison, settings)]
    levels = holm([flags.p_worse(rows) for flags, _, rows in asked], settings.harm_alpha)
    return [
        as_check(
            name,
            flags.difference(subject, rows),
            level,
            level,
            level,
            "worse" if worse else "passed",
            subject,
        )
        for (flags, subject, rows), (level, worse) in zip(asked, levels, strict=True)
    ]


def _sources(comparison: Comparison, settings: GateSettings) -> list[tuple[Subject, NDArray[np.intp]]]:
    rows = subject_rows(comparison, synthetic=False)
    large = [(subject, index) for subject, index in rows.items() if index.size >= settings.small_source]
    small = [index for index in rows.values() if index.size < settings.small_source]
    return [*large, (SMALL_SOURCES, np.concatenate(small))] if small else large


def calibration_check(comparison: Comparison, settings: GateSettings) -> Check | None:
    """Whether the balanced Brier score is proved worse by more than the margin; None without probabilities.

    Reals and fakes weigh one half each, so that the mix of the holdout does not matter.
    """
    champion, challenger = comparison.probabilities_champion, comparison.probabilities_challenger
    if champion is None or challenger is None:
        return None
    truth = comparison.synthetic.astype(np.float64)
    sides = np.where(comparison.synthetic, truth.mean(), 1.0 - truth.mean())
    weights = 0.5 / (sides * truth.size)
    before, after = weights * np.square(champion - truth), weights * np.square(challenger - truth)
    change = after - before
    # The derivative by a sample's weight, each side renormalised: its own term less its side's share.
    for side in (comparison.synthetic, ~comparison.synthetic):
        change[side] -= change[side].mean()
    spread = sum_by_group(change, comparison.groups)
    difference = Difference(
        profile=comparison.profile,
        subject=None,
        champion=float(before.sum()),
        challenger=float(after.sum()),
        value=float(after.sum() - before.sum()),
        standard_error=float(np.sqrt(np.square(spread).sum())),
        n=truth.size,
        groups=spread.size,
    )
    alpha = settings.bound_alpha
    worse = difference.lower(alpha) > settings.calibration_margin
    return as_check("calibration", difference, alpha, alpha, alpha, "failed" if worse else "passed", None)
