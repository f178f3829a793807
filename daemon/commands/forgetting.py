"""`forget`: what was delivered, taken back."""

from __future__ import annotations

import getpass
import re
import sys
from typing import Annotated

import typer

from daemon.commands.common import ConfigOption, JsonOption, example, print_json, said, settings_of
from daemon.model import ForgetTarget

_DIGEST = re.compile(r"[0-9a-f]{64}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget", epilog=example('sidwatch forget --source mirror_7 --reason "licence withdrawn"'))(forget)


def forget(
    reason: Annotated[str, typer.Option("--reason", help="Why; written into the audit.", callback=said)],
    source: Annotated[str | None, typer.Option("--source", help="A photo collection or an adapter.")] = None,
    family: Annotated[str | None, typer.Option("--family", help="A generator family.")] = None,
    sample: Annotated[str | None, typer.Option("--sample", help="The sha256 of a picture's bytes.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget deliveries: their pictures, vectors, scores and what was learned of them; a challenger follows.

    A sample that another source delivered too stays, decided anew without the forgotten delivery. An adapter that
    goes on delivering brings new samples: take it out of the configuration first.
    """
    from daemon.forget import forget as carry_out
    from daemon.forget import preview

    target = _target(source, family, sample)
    settings = settings_of(config)
    if not yes:
        counts = preview(settings, target)
        question = f"Forget {target}: {counts.deliveries} deliveries, {counts.gone} samples for good?"
        if not sys.stdin.isatty():
            raise typer.BadParameter(f"{question} There is no terminal to ask on", param_hint="--yes")
        typer.confirm(question, abort=True, err=True)
    done = carry_out(settings, target, reason, getpass.getuser())
    if as_json:
        print_json(done.to_dict())
        return
    for line in done.lines():
        typer.echo(line)


def _target(source: str | None, family: str | None, sample: str | None) -> ForgetTarget:
    named = [
        ForgetTarget(kind, name)  # type: ignore[arg-type]
        for kind, name in (("source", source), ("family", family), ("sample", sample.lower() if sample else None))
        if name
    ]
    if len(named) != 1:
        raise typer.BadParameter("give exactly one of them", param_hint="--source, --family, --sample")
    if named[0].kind == "sample" and not _DIGEST.fullmatch(named[0].name):
        raise typer.BadParameter("it is a sha256: 64 hexadecimal digits", param_hint="--sample")
    return named[0]
