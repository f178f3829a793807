"""What asks for a new version, and with how much weight a mixture answers."""

from __future__ import annotations

from datetime import datetime

import pytest

from daemon.drift.alarm import family_test
from daemon.drift.subject_test import SubjectTest
from daemon.learn.triggers import new_family_weight, triggers_of
from daemon.model import Episode, Subject, TestState
from daemon.settings import LearnSettings, PolicySettings
from tests.unit.learn.made import AT, CHAMPION, NO_GAIN, POSSIBLE, PROVED, attempts

EVERY = PolicySettings().triggers
SETTINGS = LearnSettings(new_family_weights=(1.0, 0.4, 0.1))


def state(subject: Subject, *, alarmed: datetime | None = None, degraded: bool = False) -> TestState:
    test = SubjectTest("known" if degraded else "new", family_test(0.01, 0.9, 0.5), 0.0)
    stored = test.to_dict() | ({"degraded_vote": 7} if degraded else {})
    return TestState(CHAMPION, subject, stored, 0.0, 2.0, 9, 9, AT, alarmed)


def found(
    *,
    episodes: tuple[Episode, ...] = (),
    tests: tuple[TestState, ...] = (),
    named: tuple[tuple[str, datetime], ...] = (),
    modelled: tuple[Subject, ...] = (),
    wanted: tuple[str, ...] = EVERY,
) -> list[tuple[str, str]]:
    triggers = triggers_of(episodes, tests, named, modelled, wanted)
    return [(trigger.subject.name, trigger.cause) for trigger in triggers]


def test_an_alarmed_family_asks_and_one_that_was_learned_does_not() -> None:
    alarmed = Episode(1, "flux", "alarmed", CHAMPION, AT, AT, 10, 0.5, 0.5)
    learned = Episode(2, "imagen", "learned", CHAMPION, AT, AT, 10, 0.5, 0.5)
    assert found(episodes=(alarmed, learned)) == [("flux", "alarm")]


def test_a_misjudged_source_and_a_degraded_family_ask() -> None:
    tests = (
        state(Subject("source", "camera"), alarmed=AT),
        state(Subject("source", "phone")),
        state(Subject("family", "old_gan"), degraded=True),
        state(Subject("family", "other_gan")),
    )
    assert found(tests=tests) == [("old_gan", "degraded"), ("camera", "misjudged")]


def test_a_degraded_family_that_evades_by_now_asks_once_as_alarmed() -> None:
    episode = Episode(1, "old_gan", "alarmed", CHAMPION, AT, AT, 10, 0.5, 0.5)
    tests = (state(Subject("family", "old_gan"), alarmed=AT, degraded=True),)
    assert found(episodes=(episode,), tests=tests) == [("old_gan", "alarm")]


def test_a_family_that_a_person_named_asks_only_while_the_champion_does_not_know_it() -> None:
    named = (("flux", AT),)
    assert found(named=named) == [("flux", "named")]
    assert found(named=named, modelled=(Subject("family", "flux"),)) == []


def test_a_cause_that_is_not_wanted_asks_for_nothing() -> None:
    tests = (state(Subject("source", "camera"), alarmed=AT),)
    assert found(tests=tests, named=(("flux", AT),), wanted=("alarm", "named")) == [("flux", "named")]


@pytest.mark.parametrize(
    ("verdicts", "weight"),
    [
        ([], 1.0),
        ([PROVED], 0.4),
        ([POSSIBLE, PROVED], 0.1),
        ([PROVED] * 5, 0.1),
        ([NO_GAIN], 1.0),
        ([POSSIBLE, NO_GAIN], 0.4),
        ([{"decision": "reject"}], 0.4),  # of before harm was noted
        ([{"decision": "hold"}], 1.0),
        ([{**PROVED, "learner": "linear"}], 1.0),  # another learner's harm says nothing of the weight
    ],
)
def test_every_harm_that_a_mixture_did_makes_the_next_one_gentler(
    verdicts: list[dict[str, object]], weight: float
) -> None:
    assert new_family_weight([attempts(verdicts)], SETTINGS) == weight


def test_without_a_trigger_new_families_have_the_full_weight() -> None:
    assert new_family_weight([], SETTINGS) == 1.0
