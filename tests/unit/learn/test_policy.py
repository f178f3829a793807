"""Which learner is next, when none is, and who has to wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.learn.attempts import history
from daemon.learn.policy import Due, Lacking, Plan, Stuck, Try, Wait, due, plan, steps_of
from daemon.learn.triggers import Cause, Trigger
from daemon.model import FamilyRow, Subject
from daemon.settings import AttemptSettings, HeadSettings, LearnSettings, PolicySettings, Settings
from tests.unit.learn.made import AT, CHAMPION, NEW, NO_GAIN, OLD, POSSIBLE, PROVED, row, versions

LADDER = (
    AttemptSettings(learner="mixture"),
    AttemptSettings(learner="linear"),
    AttemptSettings.model_validate({"learner": "gradient", "min_groups": 20, "cool_down": "6h", "at_most": 2}),
)
SETTINGS = LearnSettings(new_family_weights=(1.0, 0.4, 0.1), retry_after_groups=5)
LINEAR, GRADIENT = {**NO_GAIN, "learner": "linear"}, {**NO_GAIN, "learner": "gradient"}
LATER = AT + timedelta(days=9)


def next_step(
    verdicts: Iterable[Mapping[str, object]] = (),
    *,
    groups: int = 20,
    then: int | Sequence[int] = 20,
    parent: str = CHAMPION,
    now: datetime = LATER,
    cause: Cause = "alarm",
    gentler: bool = True,
    steps: Sequence[AttemptSettings] = LADDER,
    known: FamilyRow | None = None,
    **more: Any,
) -> Plan:
    made = history(versions(verdicts, then, parent), NEW)
    trigger = Trigger(NEW, cause, AT)
    of_it = known or row(groups=groups)
    return plan(trigger, of_it, made, CHAMPION, steps, SETTINGS, now, gentler=gentler, **more)


def test_learners_are_tried_in_the_order_of_the_policy_one_per_amount_of_evidence() -> None:
    assert next_step() == Try("mixture", 0)
    assert next_step([NO_GAIN]) == Try("linear", 1)
    assert next_step([NO_GAIN, LINEAR]) == Try("gradient", 2)
    stuck = next_step([NO_GAIN, LINEAR, GRADIENT])
    assert isinstance(stuck, Stuck) and len(stuck.tried) == 3 and stuck.lacking == Lacking()
    assert next_step([NO_GAIN, LINEAR, GRADIENT], groups=24) == stuck
    assert next_step([NO_GAIN, LINEAR, GRADIENT], groups=25) == Try("mixture", 0)


def test_after_a_loss_of_groups_the_learners_are_tried_anew() -> None:
    tried = [NO_GAIN, LINEAR, GRADIENT]
    assert next_step(tried, groups=40, then=100) == Try("mixture", 0)
    again = [*tried, *tried]
    assert isinstance(next_step(again, groups=40, then=[100] * 3 + [40] * 3), Stuck), "and once each"
    assert next_step(again, groups=45, then=[100] * 3 + [40] * 3) == Try("mixture", 0)


def test_harm_is_answered_by_gentler_mixtures_before_the_next_learner() -> None:
    assert next_step([PROVED]) == next_step([PROVED, POSSIBLE]) == Try("mixture", 0)
    assert next_step([PROVED, POSSIBLE, PROVED]) == Try("linear", 1)
    assert next_step([PROVED], gentler=False) == Try("linear", 1)
    assert next_step([PROVED, NO_GAIN]) == Try("linear", 1)


def test_a_linear_direction_that_harms_is_not_tried_again() -> None:
    assert next_step([NO_GAIN, {**PROVED, "learner": "linear"}]) == Try("gradient", 2)


def test_a_learner_cools_down_and_what_comes_after_it_waits_for_it() -> None:
    tried = [NO_GAIN, LINEAR, GRADIENT]
    evidence = {"groups": 40, "then": [20, 20, 20]}
    again = [*tried, NO_GAIN, LINEAR]
    before = next_step(again, groups=42, then=[20, 20, 20, 40, 40], now=AT + timedelta(hours=5))
    assert before == Wait("cool-down", AT + timedelta(hours=8))  # six after the third attempt, which was at two
    assert next_step(again, groups=42, then=[20, 20, 20, 40, 40], now=AT + timedelta(hours=8)) == Try("gradient", 2)
    assert next_step(tried, now=AT, **evidence) == Try("mixture", 0)  # type: ignore[arg-type]


def test_a_broken_training_cools_down_too() -> None:
    broken = {"gradient": LATER}
    assert next_step([NO_GAIN, LINEAR], failed=broken) == Wait("cool-down", LATER + timedelta(hours=6))
    assert next_step([NO_GAIN], failed=broken) == Try("linear", 1)


def test_after_a_clock_was_put_back_nothing_is_waited_for_longer_than_the_cool_down() -> None:
    tried, hours = [NO_GAIN, LINEAR, GRADIENT, NO_GAIN, LINEAR], [20, 20, 20, 40, 40]  # the gradient at two o'clock

    def step(now: timedelta) -> Plan:
        return next_step(tried, groups=42, then=hours, now=AT + now)

    assert step(timedelta(hours=-1)) == Wait("cool-down", AT + timedelta(hours=2))
    assert step(timedelta(hours=-5)) == step(timedelta(days=-365)) == Try("gradient", 2)
    ahead = {"gradient": LATER + timedelta(days=365)}
    assert next_step([NO_GAIN, LINEAR], failed=ahead) == Try("gradient", 2)


def test_an_incident_has_so_many_attempts_of_a_kind_whatever_the_champion_was() -> None:
    others = versions([GRADIENT, GRADIENT], 20, "v0")
    own = versions([NO_GAIN, LINEAR], 20)
    made = history([*others, *own], NEW)

    def step(since: datetime) -> Plan:
        trigger = Trigger(NEW, "alarm", since)
        return plan(trigger, row(), made, CHAMPION, LADDER, SETTINGS, LATER, gentler=True)

    assert isinstance(step(AT), Stuck)
    assert step(AT + timedelta(minutes=30)) == Try("gradient", 2)  # the first was of another incident


def test_too_few_groups_or_sources_allow_no_attempt_and_are_counted() -> None:
    assert next_step(groups=4) == Stuck((), Lacking(samples=6))
    one_known = row(groups=4, trusted_sources=0, known_sources=1)
    assert next_step(known=one_known) == Stuck((), Lacking(samples=6, sources=1))
    nobody = row(trusted_sources=0, known_sources=0)
    assert next_step(known=nobody) == Stuck((), Lacking(sources=2))
    assert next_step(known=row(trusted_sources=0, known_sources=2)) == Try("mixture", 0)


def test_a_learner_that_wants_more_is_left_out_and_its_want_is_what_is_lacking() -> None:
    stuck = next_step([NO_GAIN, LINEAR], groups=14, then=14)
    assert isinstance(stuck, Stuck) and len(stuck.tried) == 2 and stuck.lacking == Lacking(samples=6)
    two = AttemptSettings(learner="mixture", min_sources=2)
    assert next_step(steps=(two,)) == Stuck((), Lacking(sources=1))
    assert next_step(steps=(two, LADDER[1])) == Try("linear", 1)


def test_another_learner_is_no_answer_to_too_few_comparable_pictures() -> None:
    unjudged = {**NO_GAIN, "checks": [{"name": "trigger", "outcome": "undecided"}]}
    assert isinstance(next_step([unjudged]), Stuck)
    judged = {**NO_GAIN, "checks": [{"name": "trigger_mean", "outcome": "not_superior"}]}
    assert next_step([judged]) == Try("linear", 1)


def test_while_a_version_waits_or_judges_in_the_shadow_nothing_is_made() -> None:
    assert isinstance(next_step([{"decision": "promote"}]), Wait)
    assert isinstance(next_step([{"decision": "promote"}], groups=24), Wait)
    assert next_step([{"decision": "promote"}], groups=25) == Try("mixture", 0)
    turned_down = {"decision": "promote", "state": "rejected"}
    assert isinstance(next_step([turned_down], groups=24), Wait)
    assert next_step([turned_down], groups=25) == Try("mixture", 0)
    shadow = {"decision": "promote", "state": "shadow"}
    assert isinstance(next_step([shadow], groups=200), Wait)
    assert next_step([shadow], parent="v0") == Try("mixture", 0)  # of a champion that is gone


def test_a_person_is_asked_about_another_version_when_there_is_twice_the_evidence() -> None:
    asked = {"c0"}
    assert isinstance(next_step([{"decision": "promote"}], groups=39, asked=asked), Wait)
    assert next_step([{"decision": "promote"}], groups=40, asked=asked) == Try("mixture", 0)
    before_the_incident = Trigger(NEW, "alarm", AT + timedelta(days=1))
    waits = history(versions([{"decision": "promote"}], 20, CHAMPION), NEW)
    answer = plan(
        before_the_incident, row(groups=30), waits, CHAMPION, LADDER, SETTINGS, LATER, gentler=True, asked=asked
    )
    assert answer == Try("mixture", 0), "it was made before the family evaded"


@pytest.mark.parametrize(
    ("own", "learner"),
    [
        (None, "mixture"),  # after a correction only what evades is asked about
        ("undecided", "mixture"),  # it had too few groups
        ("superior", "mixture"),  # the others held it up
        ("not_superior", "linear"),
    ],
)
def test_what_was_made_for_all_families_before_the_alarm_is_its_attempt_only_if_it_was_asked_about(
    own: str | None, learner: str
) -> None:
    checks: list[dict[str, object]] = [
        {"name": "trigger_mean", "subject": None, "outcome": "not_superior"},
        {"name": "trigger", "subject": ["family", "old"], "outcome": "not_superior"},
    ]
    checks += [{"name": "trigger", "subject": ["family", "new"], "outcome": own}] if own else []
    made = history(versions([{**NO_GAIN, "checks": checks}], 20), NEW)
    assert len(made) == 1, "it used up a level of the gate whatever it was asked"

    def step(since: datetime) -> Plan:
        trigger = Trigger(NEW, "alarm", since)
        return plan(trigger, row(groups=24), made, CHAMPION, LADDER, SETTINGS, LATER, gentler=True)

    answer = step(AT + timedelta(days=1))
    assert isinstance(answer, Try) and answer.learner == learner
    assert step(AT) == Try("linear", 1), "made in the incident it is an attempt"


def test_what_passed_the_gate_before_the_alarm_waits_for_its_person() -> None:
    checks = [{"name": "trigger", "subject": ["family", "new"], "outcome": "superior"}]
    made = history(versions([{"decision": "promote", "checks": checks}], 20), NEW)
    trigger = Trigger(NEW, "alarm", AT + timedelta(days=1))
    assert isinstance(plan(trigger, row(groups=24), made, CHAMPION, LADDER, SETTINGS, LATER, gentler=True), Wait)


def test_a_family_that_was_only_named_is_answered_once_by_the_first_learner() -> None:
    assert next_step(cause="named") == Try("mixture", 0)
    assert isinstance(next_step([NO_GAIN], cause="named"), Stuck)
    assert isinstance(next_step([NO_GAIN], cause="named", groups=90), Stuck)


def test_a_family_that_only_degraded_is_answered_by_the_closed_forms_alone() -> None:
    assert next_step(cause="degraded") == Try("mixture", 0)
    assert next_step([NO_GAIN], cause="degraded") == Try("linear", 1)
    assert isinstance(next_step([NO_GAIN, LINEAR], cause="degraded"), Stuck)
    assert next_step([NO_GAIN, LINEAR], cause="misjudged") == Try("gradient", 2)


def test_what_may_not_be_learned_is_never_tried() -> None:
    for changes in ({"anchor": True}, {"retired": True}):
        assert isinstance(next_step(known=row(**changes)), Stuck)
    gone = plan(Trigger(NEW, "alarm", AT), None, (), CHAMPION, LADDER, SETTINGS, LATER, gentler=True)
    assert gone == Stuck((), Lacking())


def test_a_learner_that_was_asked_on_the_same_statistics_is_passed_over() -> None:
    assert next_step([NO_GAIN], made={"linear"}) == Try("gradient", 2)


@given(
    st.lists(st.sampled_from([NO_GAIN, POSSIBLE, PROVED, LINEAR, GRADIENT]), max_size=8),
    st.integers(0, 60),
    st.integers(1, 60),
)
def test_what_is_tried_has_what_it_needs_and_the_rounds_end(
    verdicts: list[dict[str, object]], groups: int, then: int
) -> None:
    seen = list(verdicts)
    for _ in range(12):  # as many gates as there may be on one amount of evidence
        step = next_step(seen, groups=groups, then=[then] * len(verdicts) + [groups] * (len(seen) - len(verdicts)))
        if not isinstance(step, Try):
            return
        assert groups >= next(one.min_groups for one in LADDER if one.learner == step.learner)
        seen.append({"decision": "reject", "harm": True, "learner": step.learner})
    raise AssertionError("attempts on the same evidence never end")


def test_subjects_at_the_same_place_of_the_policy_are_learned_together_the_earlier_place_first() -> None:
    third = Subject("source", "camera")
    plans: dict[Subject, Plan] = {NEW: Try("linear", 1), OLD: Try("linear", 1), third: Try("gradient", 2)}
    assert due(plans) == Due("linear", (NEW, OLD))
    assert due({NEW: Wait("cool-down"), OLD: Stuck((), Lacking())}) is None


def test_closed_form_is_the_configured_read_out_and_no_learner_stands_there_twice() -> None:
    def learners(read_out: str) -> list[str]:
        settings = Settings(head=HeadSettings.model_validate({"read_out": read_out}))
        return [step.learner for step in steps_of(settings)]

    assert learners("mixture") == ["mixture", "linear", "gradient"]
    assert learners("linear") == ["linear", "gradient"]


def test_a_policy_that_names_a_learner_twice_is_refused() -> None:
    twice = AttemptSettings(learner="gradient")
    with pytest.raises(ValidationError, match="'gradient' stands there twice"):
        PolicySettings(attempts=(twice, twice))
    with pytest.raises(ValidationError, match="at least 1 item"):
        PolicySettings(attempts=())
    with pytest.raises(ValidationError, match="for example 30d"):
        PolicySettings(every=timedelta(0))
