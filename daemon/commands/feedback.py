"""`feedback`: a person says that the detector erred."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from daemon.commands.common import ConfigOption, JsonOption, example, print_json, print_table, progress_bar, settings_of
from daemon.errors import BadInputError
from daemon.model import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("feedback", epilog=example('sidwatch feedback photo.jpg --real --note "our own archive"'))(feedback)


def feedback(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURE...", help="Files, or the sha256 of pictures that were taken in.")
    ],
    real: Annotated[bool, typer.Option("--real", help="They are photographs: false positives.")] = False,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="They are generated: false negatives.")] = False,
    family: Annotated[str | None, typer.Option("--family", help="Their generator, with --synthetic.")] = None,
    note: Annotated[str, typer.Option("--note", help="Kept beside the report; written into the audit.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what pictures are that the detector got wrong; they become labelled samples of the source `feedback`.

    A picture that others label otherwise goes into quarantine, and is told. Works beside a running service too.
    """
    from daemon.feedback import report_files

    if real == synthetic:
        raise typer.BadParameter("give one of them", param_hint="--real, --synthetic")
    if family is not None and real:
        raise typer.BadParameter("a photograph has no generator family", param_hint="--family")
    report = Report("real" if real else "synthetic", family, note)
    with progress_bar() as progress:
        done = report_files(settings_of(config), pictures, report, getpass.getuser(), progress)
    if as_json:
        print_json(done)
    else:
        rows = [[row["picture"], row["label"], row["family"], row["outcome"], _why(row)] for row in done]
        print_table("feedback", ["picture", "label", "family", "outcome", ""], rows, "no pictures")
    rejected = [row for row in done if row["outcome"] == "rejected"]
    if rejected:
        why = f"{rejected[0]['picture']}: {rejected[0]['reason']}: {rejected[0]['detail']}"
        raise BadInputError(f"{len(rejected)} of {len(done)} pictures were not taken in: {why}")


def _why(row: dict[str, object]) -> str:
    parts = [str(row[key]) for key in ("reason", "detail") if row[key]]
    return ": ".join(parts) or ("reported before" if row["repeated"] else "")
