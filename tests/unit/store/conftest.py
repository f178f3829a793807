"""Stores for the store's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from store import Store, open_store


@pytest.fixture
def open_at(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens the test's state directory, as often as asked; all are closed in the end."""
    opened: list[Store] = []

    def open_it(**options: Any) -> Store:
        opened.append(open_store(tmp_path / "state", **options))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_at: Callable[..., Store]) -> Store:
    return open_at()
