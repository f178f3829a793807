"""`models diff|card|export`: what can be said of versions and given away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.commands.common import ConfigOption, JsonOption, example, print_json, print_table, settings_of

Version = Annotated[str, typer.Argument(help="A version's id or number (v0002), or champion, challenger or previous.")]


def register(models: typer.Typer) -> None:
    """Add the commands to `models`."""
    for name, command, shown in (
        ("diff", diff, "diff previous champion"),
        ("card", card, "card champion > CARD.md"),
        ("export", export, "export champion ./champion"),
    ):
        models.command(name, epilog=example(f"sidwatch models {shown}"))(command)


def diff(
    before: Version,
    after: Version,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how one version differs from another: manifest, groups learned, figures."""
    from daemon.registry.asking import diff_versions

    found = diff_versions(settings_of(config), before, after)
    if as_json:
        print_json(found)
        return
    for part, empty in (
        ("values", "the manifests agree"),
        ("groups", "the same groups"),
        ("figures", "the same figures"),
    ):
        rows = [[change["key"], _short(change["before"]), _short(change["after"])] for change in found[part]]
        print_table(part, ["", found["before"], found["after"]], rows, empty)


def card(version: Version, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print a version's model card (Markdown)."""
    from daemon.registry.asking import card_of

    name, text = card_of(settings_of(config), version)
    if as_json:
        print_json({"version": name, "card": text})
    else:
        typer.echo(text, nl=False)


def export(
    version: Version,
    folder: Annotated[Path, typer.Argument(help="Where to; it must not be there yet, or be empty.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a version as a folder with a script that scores vectors without sidwatch, and its model card."""
    from daemon.registry.asking import export_version

    done = export_version(settings_of(config), version, folder)
    if as_json:
        print_json(done)
        return
    typer.echo(f"{done['version']} is in {done['folder']}: {', '.join(sorted(done['files']))}")
    typer.echo(f"python {folder / 'score.py'} VECTORS.npy scores vectors with numpy and safetensors alone")


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return value if len(text) <= 60 else f"{text[:57]}..."
