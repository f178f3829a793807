"""`reembed`: move the store to another encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    example,
    number,
    print_json,
    print_table,
    progress_bar,
    settings_of,
)
from daemon.errors import AnswerIsNo


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reembed", epilog=example("sidwatch reembed --encoder open_clip"))(reembed)


def reembed(
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="The encoder to move to; its section of config.yaml says how.")
    ] = None,
    encoder_config: Annotated[
        Path | None,
        typer.Option("--encoder-config", help="A file with a section `encoder:` that says how instead."),
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Show the newest migration with its figures.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the migration under way.")] = False,
    purge_old: Annotated[
        bool,
        typer.Option("--purge-old", help="Remove vectors and statistics that neither champion nor previous need."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --purge-old: do not ask.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move to another encoder: vectors anew from stored pictures, a head beside the old one, the gate, the switch.

    A running service does it beside its work; without one this command does. Exit status 1: the gate said no.
    """
    from daemon.telemetry import configure_logs

    if sum((encoder is not None, status, cancel, purge_old)) != 1:
        raise typer.BadParameter("give one of --encoder NAME, --status, --cancel and --purge-old")
    if encoder_config is not None and encoder is None:
        raise typer.BadParameter("it says how the encoder of --encoder is made", param_hint="--encoder-config")
    settings = settings_of(config)
    configure_logs(settings.log.level, settings.log.format)
    if encoder is not None:
        _move(settings, encoder, encoder_config, as_json)
    elif status:
        _show(settings, as_json)
    elif cancel:
        from daemon.reembed.by_hand import cancel as end

        ended = end(settings)
        _tell({"migration": ended.id, "state": ended.state}, f"migration {ended.id} is cancelled", as_json)
    else:
        _purge(settings, yes, as_json)


def _move(settings: Any, name: str, file: Path | None, as_json: bool) -> None:
    from daemon.reembed.by_hand import reembed as move

    with progress_bar() as progress:
        asked = move(settings, name, file, progress)
    _tell({"outcome": asked.text, "migration": asked.migration, "state": asked.state}, asked.text, as_json)
    if asked.state in ("held", "rejected", "cancelled"):
        raise AnswerIsNo(f"migration {asked.migration} was {asked.state}; the encoder in force stays")


def _show(settings: Any, as_json: bool) -> None:
    from daemon.app import read_status
    from daemon.commands.looking import migration_line
    from daemon.reembed.by_hand import describe

    found = describe(settings)
    if as_json:
        print_json(found)
        return
    shown = read_status(settings)
    if found is None or shown.migration is None:
        typer.echo("no migration yet; `sidwatch reembed --encoder NAME` begins one")
        return
    if shown.encoder_notice:
        typer.echo(shown.encoder_notice)
    typer.echo(migration_line(shown.migration))
    print_table(
        f"the same pictures: champion {found['champion']}, challenger {found['version']}",
        ["subject", "profile", "AP", "AP after", "recall", "recall after", "false positives", "and after", "n"],
        _side_by_side(found["figures"]),
        "nothing is compared yet",
    )


def _side_by_side(figures: list[dict[str, Any]]) -> list[list[object]]:
    rows: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for figure in figures:
        rows.setdefault((*figure["subject"], figure["profile"]), {})[figure["role"]] = figure
    return [
        [
            name,
            profile,
            *(
                number(sides[role][measure])
                for measure in ("ap", "recall", "false_positive_rate")
                for role in ("champion", "challenger")
            ),
            sides["challenger"]["n"],
        ]
        for (_, name, profile), sides in sorted(rows.items())
        if len(sides) == 2
    ]


def _purge(settings: Any, yes: bool, as_json: bool) -> None:
    from daemon.reembed.by_hand import purge

    old = purge(settings, remove=False)["encoders"]
    what = ", ".join(f"{fingerprint[:12]} ({samples} samples)" for fingerprint, samples in old.items())
    if old and not yes:
        typer.confirm(f"remove vectors and statistics of {what}? only `reembed` brings them back", abort=True, err=True)
    done = purge(settings, remove=bool(old))
    _tell(done, f"removed: {what}" if old else "nothing to remove", as_json)


def _tell(data: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        typer.echo(text)
