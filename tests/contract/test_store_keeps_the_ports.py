"""The store's classes have every method of the ports, with the same parameters."""

from __future__ import annotations

import inspect

import pytest

from daemon import ports
from store.encoder_migrations import SqlMigrations
from store.golden import SqlGoldenLog
from store.registry import SqlRegistry
from store.runs import SqlRunLog
from store.samples import SqlSampleStore

PAIRS = [
    (ports.SampleStore, SqlSampleStore),
    (ports.Corrections, SqlSampleStore),
    (ports.Registry, SqlRegistry),
    (ports.RunLog, SqlRunLog),
    (ports.GoldenLog, SqlGoldenLog),
    (ports.Migrations, SqlMigrations),
]


def methods(port: type) -> list[str]:
    return [name for name, value in vars(port).items() if inspect.isfunction(value) and not name.startswith("_")]


@pytest.mark.parametrize(
    ("port", "implementation", "method"),
    [(port, implementation, method) for port, implementation in PAIRS for method in methods(port)],
)
def test_a_method_takes_and_returns_what_the_port_says(port: type, implementation: type, method: str) -> None:
    assert inspect.signature(getattr(implementation, method)) == inspect.signature(getattr(port, method))
