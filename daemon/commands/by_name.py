"""Which module has which command; it is imported when the command is asked for, so that none pays for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, cast

import typer
from typer.core import TyperGroup

# In the order of `--help`. A module has commands that it registers, or a group of its own of the command's name.
MODULES: Final = {
    "demo": "demo",
    "init": "configuration",
    "check-config": "configuration",
    "run": "running",
    "status": "looking",
    "shortcuts": "looking",
    "verify": "looking",
    "health": "health",
    "ingest": "working",
    "evaluate": "working",
    "score": "working",
    "update": "working",
    "recalibrate": "working",
    "retrain": "working",
    "forget": "forgetting",
    "feedback": "feedback",
    "explain": "explaining",
    "reembed": "reembedding",
    "backtest": "backtesting",
    "report": "reporting",
    "families": "families",
    "samples": "samples",
    "quarantine": "quarantine",
    "episodes": "episodes",
    "notifications": "notifications",
    "models": "models",
    "adapters": "adapters",
    "jobs": "jobs",
}


class Commands(Mapping[str, Any]):
    """The commands by name, in order; reading one imports its module."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made |= commands_of(name, import_module(f"daemon.commands.{MODULES[name]}"))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


class CommandsByName(TyperGroup):
    """The root of the command line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast(Any, Commands())  # nobody adds to it


def commands_of(name: str, module: Any) -> dict[str, Any]:
    """The commands of a module, as typer makes them."""
    found = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False)
    found.callback()(_group)
    if hasattr(module, "app"):
        found.add_typer(module.app, name=name)
    else:
        module.register(found)
    group = typer.main.get_command(found)
    assert isinstance(group, TyperGroup)
    return dict(group.commands)


def _group() -> None:
    """Typer makes a group of what has a callback, even if it holds one command."""
