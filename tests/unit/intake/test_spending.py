"""What a making adapter has spent is read from what its own cursor keeps."""

from __future__ import annotations

from datetime import date

import pytest

from daemon.intake.spending import Spending, spending_of

DAY = date(2030, 1, 1)
OPTIONS = {"images_per_day": 9, "money_per_day": "2.00"}


@pytest.mark.parametrize(
    "cursor",
    [
        None,
        "",
        "no json",
        "[]",
        '{"spent": []}',
        '{"spent": {"2030-01-01": 3}}',
        '{"spent": {"2029-12-31": {"images": 3}}}',
        '{"spent": {"2030-01-01": {"images": -1, "money": "nan"}}}',
        "[" * 100_000,
    ],
    ids=range(9),
)
def test_a_cursor_without_that_day_has_spent_nothing(cursor: str | None) -> None:
    assert spending_of(cursor, OPTIONS, DAY) == Spending(0, 9, 0.0, 2.0)


def test_an_adapter_without_a_budget_has_no_account() -> None:
    assert spending_of('{"spent": {}}', {"path": "inbox"}, DAY) is None
