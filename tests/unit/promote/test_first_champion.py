"""The first champion is measured against chance."""

from __future__ import annotations

from daemon.evaluate import FamilyEvaluation, SourceEvaluation
from daemon.model import Subject
from daemon.promote.first_champion import first_champion_verdict


def family(ap: float, lower: float, n: int = 40, prevalence: float = 0.5) -> FamilyEvaluation:
    return FamilyEvaluation(ap, lower, 1.0, True, ap, lower, 1.0, 0.5, 0.4, 0.6, n, n, 500, prevalence)


def source(n: int = 50) -> SourceEvaluation:
    return SourceEvaluation(0.05, 0.0, 0.1, n, n)


SOURCES = {"photos": source(), "scans": source()}


def test_a_version_better_than_chance_on_every_family_is_promoted() -> None:
    verdict = first_champion_verdict({"a": family(0.9, 0.8), "b": family(0.7, 0.51)}, SOURCES)
    assert verdict.decision == "promote"
    assert "lowest AP 0.700 (b)" in verdict.reason
    assert verdict.learned == (Subject("family", "a"), Subject("family", "b"))


def test_one_family_at_chance_holds_and_is_named() -> None:
    verdict = first_champion_verdict({"a": family(0.9, 0.8), "b": family(0.55, 0.5)}, SOURCES)
    assert verdict.decision == "hold"
    assert "b 0.550" in verdict.reason
    assert [check.outcome for check in verdict.checks] == ["passed", "undecided"]


def test_chance_is_the_prevalence_that_the_ap_is_stated_for() -> None:
    families = {"a": family(0.9, 0.8, prevalence=0.8), "b": family(0.95, 0.9, prevalence=0.8)}
    assert first_champion_verdict(families, SOURCES).decision == "hold"


def test_one_family_or_one_source_is_too_narrow() -> None:
    two = {"a": family(0.9, 0.8), "b": family(0.9, 0.8)}
    narrow = first_champion_verdict({"a": two["a"], "b": family(0.9, 0.8, n=9)}, SOURCES)
    assert narrow.decision == "hold"
    assert "1 families and 2 real sources" in narrow.reason
    assert first_champion_verdict(two, {"photos": source(), "scans": source(9)}).decision == "hold"
    assert first_champion_verdict(two, {}).decision == "hold"
