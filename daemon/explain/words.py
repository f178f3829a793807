"""A family's explanation in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.explain.views import ComparisonView, EffectView, SeenView

_NAMED = 3  # characteristics in one sentence
LITTLE, MOST = 0.25, 0.6  # shares below and above which the head is said to see little or most of a shift
BLIND = 0.75  # AUROC below which what the head sees is said not to speak for synthetic


def in_words(family: str, comparisons: Sequence[ComparisonView], seen: SeenView | None, known: bool) -> list[str]:
    """What the figures of one profile say."""
    sentences = [_difference(family, comparison) for comparison in comparisons]
    if seen is not None:
        sentences.append(_sight(seen, known))
    return sentences


def _difference(family: str, comparison: ComparisonView) -> str:
    side = "the reals" if comparison.against == "reals" else "the known families"
    proved = [effect for effect in comparison.effects if effect.proved][:_NAMED]
    if not proved:
        return f"{family} is not proved to differ from {side} in anything measured here."
    return f"{family} differs most from {side} in {', '.join(_named(effect) for effect in proved)}."


def _named(effect: EffectView) -> str:
    return f"{effect.towards or effect.label} ({abs(effect.effect):.1f})"


def _sight(seen: SeenView, known: bool) -> str:
    judged = f"It calls {seen.recall:.0%} of the pictures synthetic (AUROC {seen.auroc:.2f})"
    if seen.share is None:
        return f"No shift from the reals as a whole is proved. {judged.replace('It', 'The champion', 1)}."
    amount = "little" if seen.share < LITTLE else "most" if seen.share > MOST else "a part"
    learned = "has learned it and" if known else "has not learned it and"
    sentence = f"The champion {learned} sees {amount} of the shift: {seen.share:.0%} of it lies where its units look."
    if seen.share >= LITTLE and seen.auroc < BLIND:
        return f"{sentence} {judged}: what it sees does not speak for synthetic."
    return f"{sentence} {judged}."
