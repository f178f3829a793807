"""`init` and `check-config`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
import yaml

from daemon.commands.common import ConfigOption, JsonOption, example, print_json, settings_of
from daemon.errors import BadInputError
from daemon.settings import shown
from daemon.shipped import shipped


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init", epilog=example("sidwatch init watch && cd watch && sidwatch check-config"))(init)
    app.command("check-config", epilog=example("sidwatch check-config --config config.yaml"))(check_config)


def init(
    folder: Annotated[Path, typer.Argument(help="An empty or new folder.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write config.yaml, an inbox and the dashboards into a folder."""
    if (folder / "config.yaml").exists():
        raise BadInputError(f"{folder / 'config.yaml'} is there already; nothing was written")
    (folder / "inbox").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(shipped("config.yaml"), folder / "config.yaml")
    shutil.copytree(
        shipped("dashboards"),
        folder / "dashboards",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("*.py", "__pycache__"),
    )
    written = [str(folder / name) for name in ("config.yaml", "inbox", "dashboards")]
    if as_json:
        print_json({"written": written})
    else:
        typer.echo(f"wrote {', '.join(written)}")
        typer.echo("next: put pictures into inbox/real/ and inbox/<family>/, then `sidwatch run`")


def check_config(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the configuration and print what is in effect, secrets masked."""
    found = settings_of(config)
    settings = shown(found)
    if found.page_notice is not None:
        typer.echo(f"sidwatch: {found.page_notice}", err=True)
    if as_json:
        print_json(settings)
    else:
        typer.echo(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), nl=False)
