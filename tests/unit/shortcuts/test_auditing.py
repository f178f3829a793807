"""Which batches are audited, and against whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from daemon.model import BatchCount, BatchKey, FileRow, Subject
from daemon.settings import ShortcutAuditSettings
from daemon.shortcuts.auditing import audited, by_batch, is_due, sides, with_whole_subjects
from tests.unit.shortcuts.files import FAKES, REALS, jpegs, pngs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = ShortcutAuditSettings()
MIRROR = BatchKey(FAKES.subject, "mirror")
UNTRUSTED = BatchKey(Subject("source", "stranger"), "stranger")


def rows(*parts: list[FileRow]) -> dict[BatchKey, list[FileRow]]:
    return by_batch([row for part in parts for row in part])


def test_pictures_of_untrusted_sources_are_audited_but_make_nobody_look_clean() -> None:
    strangers = [replace(row, learnable=False) for row in pngs(UNTRUSTED, 30, seed=3)]
    found = rows(pngs(FAKES, 20, seed=1), jpegs(REALS, 30, seed=2), strangers)
    own, others = sides(found, FAKES)
    assert {row.batch for row in own} == {FAKES}
    assert {row.batch for row in others} == {REALS}
    assert {row.batch for row in sides(found, UNTRUSTED)[0]} == {UNTRUSTED}


def test_each_batch_has_an_equal_share_in_what_others_are_compared_with() -> None:
    second = BatchKey(Subject("source", "phone"), "phone")
    _, others = sides(rows(jpegs(FAKES, 20, seed=1), jpegs(REALS, 900, seed=2), jpegs(second, 50, seed=3)), FAKES)
    assert [sum(row.batch == batch for row in others) for batch in (REALS, second)] == [200, 50]


def test_a_family_of_several_sources_is_audited_as_a_whole_too() -> None:
    counts = {FAKES: BatchCount(5, 4), MIRROR: BatchCount(6, 6), REALS: BatchCount(9, 9)}
    whole = BatchKey(FAKES.subject, "")
    assert with_whole_subjects(counts) == counts | {whole: BatchCount(11, 10)}
    own, _ = sides(rows(jpegs(FAKES, 4, seed=1), jpegs(MIRROR, 6, seed=2), jpegs(REALS, 9, seed=3)), whole)
    assert {row.batch for row in own} == {FAKES, MIRROR}


def test_too_few_groups_on_either_side_say_nothing() -> None:
    few, many = jpegs(FAKES, 9, seed=1), jpegs(FAKES, 30, seed=1, per_group=5)
    for own, others in [(few, 100), (many, 100), (jpegs(FAKES, 20, seed=1), 9)]:
        found = audited(
            FAKES, rows(own, jpegs(REALS, others, seed=2)), BatchCount(40, len(own)), others, SETTINGS, None, NOW
        )
        assert (found.state, found.auroc, found.n) == ("too_few", None, len(own))
        assert found.unknown == 40 - len(own)


@pytest.mark.parametrize(
    ("known", "others", "due"), [(20, 100, False), (25, 150, False), (26, 100, True), (15, 100, True), (20, 151, True)]
)
def test_a_batch_is_audited_anew_when_it_or_the_others_have_grown_or_shrunk_much(
    known: int, others: int, due: bool
) -> None:
    found = rows(pngs(FAKES, 20, seed=1), jpegs(REALS, 100, seed=2))
    before = audited(FAKES, found, BatchCount(20, 20), 100, SETTINGS, None, NOW)
    assert before.state == "shortcut"
    assert is_due(before, BatchCount(known, known), others, SETTINGS) is due


def test_another_line_asks_for_another_audit() -> None:
    before = audited(FAKES, rows(jpegs(FAKES, 9), jpegs(REALS, 9)), BatchCount(9, 9), 9, SETTINGS, None, NOW)
    assert not is_due(before, BatchCount(9, 9), 9, SETTINGS)
    assert is_due(before, BatchCount(9, 9), 9, SETTINGS.model_copy(update={"threshold": 0.8}))
    assert is_due(None, BatchCount(9, 9), 9, SETTINGS)


def test_states_are_counted() -> None:
    found = rows(pngs(FAKES, 20, seed=1), jpegs(REALS, 100, seed=2))
    first = audited(FAKES, found, BatchCount(20, 20), 100, SETTINGS, None, NOW)
    same = audited(FAKES, found, BatchCount(20, 20), 100, SETTINGS, first, NOW)
    gone = audited(FAKES, rows(jpegs(REALS, 100, seed=2)), BatchCount(0, 0), 100, SETTINGS, same, NOW)
    assert [(audit.state, audit.number) for audit in (first, same, gone)] == [
        ("shortcut", 1),
        ("shortcut", 1),
        ("too_few", 2),
    ]
