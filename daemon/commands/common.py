"""What every command shares: its options, its output, its errors."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.errors import ConfigurationError
from daemon.model import LONGEST_REASON, says_something
from daemon.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Iterator

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file.  [default: ./config.yaml]", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout and nothing else there.")]

DEFAULT_CONFIG = Path("config.yaml")
WIDTH = 180  # of tables that go into a file or a pipe


def settings_of(config: Path | None) -> Settings:
    """The configuration that a command works with; raises ConfigurationError when there is none.

    From here on what the program and its libraries log goes to standard error, warnings and worse unless the
    configuration asks for `debug` or `error`: standard output is for the answer alone.
    """
    from daemon.telemetry.logs import configure_logs

    path = config or DEFAULT_CONFIG
    if not path.is_file():
        raise ConfigurationError(
            f"there is no configuration at {path}: `sidwatch init` writes one here, `--config FILE` names another"
        )
    settings = load(path)
    configure_logs("warning" if settings.log.level == "info" else settings.log.level, settings.log.format)
    return settings


def said(reason: str) -> str:
    """Callback of `--reason`: one in which nothing is to be read is no reason."""
    if not says_something(reason):
        raise typer.BadParameter("say why: the audit keeps it")
    return short(reason)


def short(reason: str) -> str:
    """Callback of a `--reason` that may be left out; the API takes as much."""
    if len(reason) > LONGEST_REASON:
        raise typer.BadParameter(f"{len(reason)} characters are too many: at most {LONGEST_REASON}")
    return reason


def example(text: str) -> str:
    """The last paragraph of a command's help."""
    return f"Example: `{text}`"


def print_json(value: object) -> None:
    """One JSON value on stdout; what is infinite or no number is null, for JSON has neither."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str, allow_nan=False)
    sys.stdout.write(text + "\n")


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """A table for people on stdout; `empty` says why there is nothing."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    if not rows:
        console.print(empty)
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("–" if cell is None else _shown(str(cell))) for cell in row))
    console.print(table)


def echo(line: str) -> None:
    """A line for people on stdout; what came from elsewhere in it does not steer the terminal."""
    typer.echo(_shown(line))


def _shown(text: str) -> str:
    """A text without what a terminal would obey: names come from whoever delivered them."""
    return "".join(one if one.isprintable() or one == "\n" else f"\\x{ord(one):02x}" for one in text)


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(value: float | None, lower: float | None, upper: float | None) -> str:
    """A figure with its interval, as far as there are any."""
    return number(value) if lower is None or upper is None else f"{number(value)} [{number(lower)}, {number(upper)}]"


def counts(values: Mapping[str, int]) -> str:
    """`corrupt 3, empty 1`."""
    return ", ".join(f"{key} {value}" for key, value in sorted(values.items())) or "none"


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A reporter of long work: bars on stderr when it is a terminal, silent otherwise."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total or None)
            progress.update(tasks[what], completed=done, total=total or None)

        yield report
