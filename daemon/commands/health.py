"""`health`: whether the service that runs here is well, for Docker and for scripts."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.commands.common import ConfigOption, JsonOption, example, print_json, settings_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("health", epilog=example("sidwatch health --ready"))(health)


def health(
    ready: Annotated[bool, typer.Option("--ready", help="Whether it is ready for work, not only alive.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the running service whether it is well; exit status 1 when it is not, or does not answer."""
    from daemon.asking import ask_health

    found = ask_health(settings_of(config), ready=ready)
    if as_json:
        print_json({"well": found.well, "reasons": found.reasons})
    else:
        typer.echo("well" if found.well else "; ".join(found.reasons))
    raise typer.Exit(0 if found.well else 1)
