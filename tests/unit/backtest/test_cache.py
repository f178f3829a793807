"""What a back-test measures once: the same pictures give the same figures, others are measured anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from daemon.backtest.cache import CachingSeparation
from daemon.model import FileRow
from daemon.shortcuts.measuring import Separation, separation
from tests.unit.shortcuts.files import FAKES, REALS, jpegs, pngs


class Kept:
    """Derived files in memory."""

    def __init__(self) -> None:
        self.contents: dict[tuple[str, str], bytes] = {}

    def get(self, kind: str, key: str) -> bytes | None:
        return self.contents.get((kind, key))

    def put(self, kind: str, key: str, content: bytes) -> None:
        self.contents[kind, key] = content


class Counting:
    """The measurement, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, batch: Sequence[FileRow], others: Sequence[FileRow]) -> Separation | None:
        self.asked += 1
        return separation(batch, others)


@pytest.fixture
def inner() -> Counting:
    return Counting()


@pytest.fixture
def cached(inner: Counting) -> CachingSeparation:
    return CachingSeparation(Kept(), inner)


@pytest.mark.parametrize("batch", [pngs(FAKES, 20)[:8] + jpegs(FAKES, 20, 3)[8:], jpegs(FAKES, 1)[:0]])
def test_asked_again_it_gives_the_same_to_the_bit_and_does_not_measure(
    batch: list[FileRow], cached: CachingSeparation, inner: Counting
) -> None:
    others = jpegs(REALS, 60, 1)
    first, again = cached(batch, others), cached(batch, others)
    assert first == again == separation(batch, others)
    assert inner.asked == 1


def test_what_the_measurement_does_not_read_changes_nothing(cached: CachingSeparation, inner: Counting) -> None:
    batch, others = pngs(FAKES, 20), jpegs(REALS, 60, 1)
    cached(batch, others)
    cached([replace(row, sample_id=row.sample_id + 100, learnable=False) for row in batch], others)
    assert inner.asked == 1


def test_another_file_group_or_side_is_measured(cached: CachingSeparation, inner: Counting) -> None:
    batch, others = pngs(FAKES, 20), jpegs(REALS, 60, 1)
    first = batch[0]
    changed = [
        replace(first, width=first.width + 1),
        replace(first, size=first.size + 1),
        replace(first, format="WEBP"),
        replace(first, group="another"),
        replace(first, fold=(first.fold + 1) % 5),
        replace(first, facts=replace(first.facts, exif=True)),
    ]
    for other in [batch[0], *changed]:
        cached([other, *batch[1:]], others)
    cached(batch, others[1:])
    cached(others, batch)
    assert inner.asked == 1 + len(changed) + 2
