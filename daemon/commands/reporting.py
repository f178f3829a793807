"""`report`: what happened, for people who were not there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.commands.common import ConfigOption, JsonOption, example, print_json, settings_of
from daemon.units import parse_duration


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", epilog=example("sidwatch report --since 30d --html --output report.html"))(report)


def report(
    since: Annotated[str, typer.Option("--since", help="How far back, for example 12h or 30d.")] = "30d",
    html: Annotated[bool, typer.Option("--html", help="One HTML file with plots that needs nothing else.")] = False,
    markdown: Annotated[bool, typer.Option("--md", help="Markdown, the default.")] = False,
    output: Annotated[Path | None, typer.Option("--output", help="Write it there.  [default: stdout]")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report what was released, what evaded, how fast it was noticed and repaired, what was decided, what is open."""
    try:
        length = parse_duration(since)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
    if length.total_seconds() <= 0:
        raise typer.BadParameter("a report needs a length of time, for example 30d", param_hint="--since")
    if html + markdown + as_json > 1:
        raise typer.BadParameter("one form at a time: --html, --md or --json", param_hint="--html")
    settings = settings_of(config)
    from daemon.report.command import make
    from daemon.report.rendering import as_html, as_markdown
    from daemon.writing import write_for_person

    try:
        found = make(settings, length)
    except OverflowError as error:
        raise typer.BadParameter(f"{since} ago there was no calendar", param_hint="--since") from error
    if as_json and output is None:
        print_json(found.model_dump(mode="json"))
        return
    text = found.model_dump_json(indent=2) + "\n" if as_json else as_html(found) if html else as_markdown(found)
    if output is not None:
        write_for_person(output, text)
    else:
        typer.echo(text, nl=False)
