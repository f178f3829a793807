"""`run`: the service."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from daemon.commands.common import ConfigOption, JsonOption, example, print_json, progress_bar, settings_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", epilog=example("sidwatch run --config config.yaml"))(run)


def run(
    config: ConfigOption = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Take in and decide what there is, then end.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the service until SIGTERM or Ctrl-C; with --until-idle until nothing is left to do."""
    from daemon.operations import run_service, run_service_until_idle
    from daemon.telemetry import configure_logs

    settings = settings_of(config)
    configure_logs(settings.log.level, settings.log.format)
    if until_idle:
        with progress_bar() as progress:
            found = run_service_until_idle(settings, progress)
        if as_json:
            print_json(found.model_dump(mode="json"))
        return

    def say(url: str) -> None:
        sys.stderr.write(f"sidwatch: status page {url}/\n")

    if settings.page_notice is not None:
        sys.stderr.write(f"sidwatch: {settings.page_notice}\n")
    run_service(settings, say)
