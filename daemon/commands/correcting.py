"""`families rename|merge|split|retire|anchor|unanchor`, and what every correction tells."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.commands.common import ConfigOption, JsonOption, echo, example, print_json, said, settings_of
from daemon.errors import BadInputError

if TYPE_CHECKING:
    from daemon.corrections.carrying_out import Corrected


Reason = Annotated[str, typer.Option("--reason", help="Why; written into the audit.", callback=said)]
Name = Annotated[str, typer.Argument(help="The family's name.")]


def register(families: typer.Typer) -> None:
    """Add the commands to `families`."""
    for name, command, shown in (
        ("rename", rename, 'rename sdxl sdxl_base --reason "as its card says"'),
        ("merge", merge, 'merge sd_xl sdxl_base --reason "the same model"'),
        ("split", split, 'split midjourney midjourney_7 --delivered-after 2026-04-03 --reason "a new model"'),
        ("retire", retire, 'retire stylegan2 --reason "nobody uses it any more"'),
        ("anchor", anchor, 'anchor dalle_2 --reason "to see what a new version breaks"'),
        ("unanchor", unanchor, 'unanchor dalle_2 --reason "it evades"'),
    ):
        families.command(name, epilog=example(f"sidwatch families {shown}"))(command)


def rename(
    old: Annotated[str, typer.Argument(help="Its name by now.")],
    new: Annotated[str, typer.Argument(help="Its name from now on; lower snake case.")],
    reason: Reason,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a family another name; what deliveries go on calling by the old one lands in it.

    Statistics, figures, alarms and episodes go on under the new name; nothing is learned or counted anew.
    """
    from daemon.corrections import asking

    tell(asking.rename(settings_of(config), old, new, getpass.getuser(), reason), as_json)


def merge(
    name: Annotated[str, typer.Argument(help="The family that is none of its own.")],
    into: Annotated[str, typer.Argument(help="The family that it belongs to.")],
    reason: Reason,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make one family of two; what deliveries go on calling by the first name lands in the second.

    Statistics and scores follow; alarms count their votes anew. An open episode goes on with the second family.
    """
    from daemon.corrections import asking

    tell(asking.merge(settings_of(config), name, into, getpass.getuser(), reason), as_json)


def split(
    name: Name,
    new: Annotated[str, typer.Argument(help="The new family's name; lower snake case.")],
    reason: Reason,
    source: Annotated[str | None, typer.Option("--source", help="What this source delivered first.")] = None,
    released_after: Annotated[
        str | None, typer.Option("--released-after", help="What was released later: YYYY, YYYY-MM or YYYY-MM-DD.")
    ] = None,
    delivered_after: Annotated[
        datetime | None, typer.Option("--delivered-after", help="What was first delivered later (UTC).")
    ] = None,
    sample: Annotated[
        list[str] | None,
        typer.Option("--sample", help="This picture, by its sha256; repeatable."),
    ] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="The pictures in this file, one sha256 a line; - is stdin.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a part of a family one of its own: by conditions, which hold for later deliveries too, or by pictures.

    Several conditions must all be met. Statistics and scores follow; alarms count their votes anew.
    """
    from daemon.corrections import asking
    from daemon.corrections.model import FamilyPart
    from daemon.corrections.selecting import read_list

    part = FamilyPart(source, released_after, delivered_after and _utc(delivered_after))
    wanted = [*(sample or []), *(read_list(samples) if samples is not None else [])]
    if (part == FamilyPart()) == (not wanted):
        raise typer.BadParameter(
            "say which part: --source, --released-after or --delivered-after, or else --sample or --samples",
            param_hint="--source",
        )
    tell(asking.split(settings_of(config), name, new, part, wanted, getpass.getuser(), reason), as_json)


def retire(
    name: Name,
    reason: Reason,
    undo: Annotated[bool, typer.Option("--undo", help="Measure and test it again.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure, test and gate a family no longer; what was learned of it stays learned. Its open episode is closed."""
    from daemon.corrections import asking

    tell(asking.retire(settings_of(config), name, undo, getpass.getuser(), reason), as_json)


def anchor(name: Name, reason: Reason, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let no head learn from a family: it shows what a new version breaks. What was learned of it is taken out."""
    from daemon.corrections import asking

    tell(asking.anchor(settings_of(config), name, False, getpass.getuser(), reason), as_json)


def unanchor(name: Name, reason: Reason, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let heads learn from an anchor again."""
    from daemon.corrections import asking

    tell(asking.anchor(settings_of(config), name, True, getpass.getuser(), reason), as_json)


def tell(done: Corrected, as_json: bool) -> None:
    """What became of a correction."""
    if as_json:
        print_json(done.to_dict())
        return
    for line in done.lines():
        echo(line)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is not None:
        raise BadInputError("--delivered-after takes a time without zone; it is read as UTC")
    return at.replace(tzinfo=UTC)
