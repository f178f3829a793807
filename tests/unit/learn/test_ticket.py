"""The ticket says what is missing, with numbers that hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.learn.attempts import history
from daemon.learn.policy import Lacking, Stuck
from daemon.learn.ticket import missing, more_samples, said
from daemon.learn.triggers import Trigger
from daemon.model import FamilyRow, Subject
from tests.unit.learn.made import AT, NEW, row, versions

FLUX = Subject("family", "flux_3")
TRIGGER = Trigger(FLUX, "alarm", AT)
MARGINS = {"macro_mean": 0.01, "false_positive_rate": 0.02, "left_out_rate": 0.02}


def check(name: str, outcome: str, difference: float, lower: float, upper: float, n: int = 25) -> dict[str, Any]:
    shown = {"name": name, "outcome": outcome, "difference": difference, "lower": lower, "upper": upper, "n": n}
    return {**shown, "subject": None}


def text(tried: list[dict[str, Any]], lacking: Lacking = Lacking(), of: FamilyRow | None = None) -> str:  # noqa: B008
    stuck = Stuck(history(versions(tried), NEW), lacking)
    return missing(TRIGGER, of or row(FLUX), stuck, MARGINS).text


def test_too_few_samples_of_one_known_source_ask_for_more_from_a_second_one() -> None:
    of = row(FLUX, 8, trusted_sources=0, known_sources=1)
    assert text([], Lacking(12, 1), of) == "12 more samples of flux_3 from a second source"
    assert text([], Lacking(0, 1), of) == "samples of flux_3 from a second source"
    nobody = row(FLUX, 8, trusted_sources=0)
    assert text([], Lacking(0, 2), nobody) == "samples of flux_3 from a trusted source, or from two known ones"


def test_a_source_that_is_missing_for_one_learner_alone_is_counted_beside_those_there_are() -> None:
    assert text([], Lacking(0, 1), row(FLUX, trusted_sources=2)) == "samples of flux_3 from a third source"
    assert text([], Lacking(0, 2), row(FLUX)) == "samples of flux_3 from 2 more sources"


def test_too_few_samples_alone_are_counted() -> None:
    assert text([], Lacking(samples=6)) == "6 more samples of flux_3"


def test_a_gain_that_is_not_proved_says_how_many_more_samples_would_prove_it() -> None:
    held = {"decision": "hold", "checks": [check("trigger_mean", "not_superior", 0.04, -0.04, 0.12)]}
    assert text([held]) == "about 75 more samples of flux_3, if its gain stays as it is"
    nearer = {"decision": "hold", "checks": [check("trigger_mean", "not_superior", 0.04, -0.01, 0.09)]}
    assert text([held, nearer]) == "about 15 more samples of flux_3, if its gain stays as it is"


def test_without_any_gain_more_samples_are_not_asked_for() -> None:
    held = {"decision": "hold", "checks": [check("trigger_mean", "not_superior", -0.01, -0.04, 0.02)]}
    assert text([held]).startswith("other features or cleaner samples")


def test_harm_that_is_not_excluded_asks_for_what_the_blocking_check_is_about() -> None:
    better = check("trigger_mean", "superior", 0.3, 0.2, 0.4)
    rate = {
        "decision": "hold",
        "harm": True,
        "checks": [better, check("false_positive_rate", "undecided", 0, -1, 0.04)],
    }
    assert text([rate]).startswith("about 75 more samples of real photographs to exclude")
    mean = {"decision": "hold", "harm": True, "checks": [better, check("macro_mean", "undecided", 0.0, -0.02, 0.02)]}
    assert text([mean]).startswith("about 75 more samples of the other families to exclude")
    beyond = {"decision": "hold", "harm": True, "checks": [check("macro_mean", "undecided", -0.02, -0.06, 0.02)]}
    assert text([beyond]).startswith("more samples of the other families to exclude")


def test_proved_harm_is_for_a_person_to_decide() -> None:
    worse = {**check("family", "worse", -0.1, -0.2, -0.05), "subject": ["family", "old_gan"]}
    found = text([{"decision": "reject", "checks": [worse]}])
    assert found == "a person: what learned flux_3 was proved worse on old_gan (`sidwatch models show c0`)"
    rate = {"decision": "reject", "checks": [check("false_positive_rate", "failed", 0.1, 0.05, 0.2)]}
    assert "worse on false positive rate" in text([rate])


def test_an_anchor_a_lost_family_and_a_source_without_trust_are_said_to_be_so() -> None:
    assert "unanchor" in text([], of=row(FLUX, anchor=True))
    assert missing(TRIGGER, None, Stuck((), Lacking()), MARGINS).text == "no labelled sample of flux_3 is left"
    camera = row(Subject("source", "camera"), trusted_sources=0, known_sources=1)
    found = missing(Trigger(camera.subject, "misjudged", AT), camera, Stuck((), Lacking(0, 1)), MARGINS)
    assert (found.reason, found.sources) == ("sources", 1) and "`sidwatch update` learns it" in found.text


def test_the_line_says_what_was_tried() -> None:
    held = {"decision": "hold", "checks": [check("trigger_mean", "not_superior", 0.04, -0.04, 0.12)]}
    tried = [held, {**held, "learner": "linear"}, {"decision": "reject", "learner": "gradient"}]
    stuck = Stuck(history(versions(tried), NEW), Lacking())
    assert said(TRIGGER, stuck, missing(TRIGGER, row(FLUX), stuck, MARGINS)) == (
        "flux_3 evades and cannot be learned yet (mixture held, linear held, gradient rejected); missing: "
        "about 75 more samples of flux_3, if its gain stays as it is"
    )
    assert "nothing tried" in said(
        TRIGGER, Stuck((), Lacking(3)), missing(TRIGGER, row(FLUX), Stuck((), Lacking(3)), {})
    )


@given(st.integers(5, 5000), st.floats(0.001, 0.5), st.floats(0.0001, 0.5), st.floats(-0.3, 0.3))
def test_with_so_many_more_samples_the_bound_reaches_the_target_and_not_with_fewer(
    n: int, gain: float, beyond: float, target: float
) -> None:
    difference, bound = target + gain, target - beyond
    more = more_samples(n, difference, bound, target)
    assert more is not None and more >= 1

    def bound_at(size: int) -> float:
        return difference - (difference - bound) * math.sqrt(n / size)

    assert bound_at(n + more) >= target - 1e-9
    if more > 1:
        assert bound_at(n + more - 1) < target + 1e-9


@pytest.mark.parametrize(("difference", "bound"), [(-0.01, -0.2), (0.0, -0.1), (0.05, -math.inf)])
def test_no_number_of_samples_proves_what_is_not_seen(difference: float, bound: float) -> None:
    assert more_samples(20, difference, bound, 0.0) is None
