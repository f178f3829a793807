"""`explain`: why a picture scored as it did, and why a family evades."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.commands.common import ConfigOption, JsonOption, example, number, print_json, print_table, settings_of

_SHOWN = 8  # contributions a side, and characteristics of a family


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain", epilog=example("sidwatch explain photo.jpg --html why.html"))(explain)


def explain(
    images: Annotated[list[Path] | None, typer.Argument(help="Pictures: JPEG, PNG or WEBP.")] = None,
    family: Annotated[str | None, typer.Option("--family", help="What sets this family apart, instead.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a page that needs nothing else.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why pictures scored as they did, or with --family why a family evades; stores no picture."""
    if bool(images) == (family is not None):
        raise typer.BadParameter("give pictures, or --family NAME", param_hint="IMAGES")
    settings = settings_of(config)
    if family is not None:
        from daemon.explain.command import explain_family_now

        found = explain_family_now(settings, family, html)
        print_json(found) if as_json else _print_family(found)
        return
    from daemon.explain.command import explain_files

    rows = explain_files(settings, images or [], html)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        _print_picture(row)


def _print_picture(row: Mapping[str, Any]) -> None:
    threshold = number(row["threshold"], 2)
    typer.echo(
        f"{row['path']}: {row['verdict']}, probability {number(row['probability'])}, "
        f"logit {number(row['logit'], 2)}, threshold {threshold}"
    )
    typer.echo(f"  family that fired: {row['family'] or '–'}; nearest real source: {row['nearest_real_source'] or '–'}")
    if row["outside"]:
        typer.echo("  unlike every known family and photo collection: what follows is read from far away")
    why = row["explanation"]
    typer.echo(f"  starts at {number(why['baseline'], 2)}: {why['reference']}")
    for sign, title in ((1, "towards synthetic"), (-1, "towards real")):
        side = [one for one in why["contributions"] if one["value"] * sign > 0][:_SHOWN]
        named = any(one["towards"] for one in side)  # feature groups have no poles
        rows = [
            [f"{one['value']:+.2f}", one["label"], *([one["towards"], number(one["cosine"])] if named else [])]
            for one in side
        ]
        columns = ["logit", "what", *(["towards", "cosine"] if named else [])]
        print_table(title, columns, rows, f"nothing pushes {title}")
    if why["explained"] is not None:
        typer.echo(f"  {why['remainder']:+.2f} in no concept; concepts follow {why['explained']:.0%} of the direction")
    for note in why["notes"]:
        typer.echo(f"  note: {note}")


def _print_family(found: Mapping[str, Any]) -> None:
    learned = {True: "learned by", False: "not learned by", None: "seen by"}[found["known"]]
    typer.echo(
        f"{found['family']}: {found['pictures']} pictures of {found['groups']} groups, "
        f"{learned} the champion {found['version']}"
    )
    if found["resembles"]:
        typer.echo(f"its pictures most often fire {found['resembles']} ({found['resembles_share']:.0%})")
    for note in found["notes"]:
        typer.echo(f"note: {note}")
    for profile, view in found["profiles"].items():
        for comparison in view["comparisons"]:
            side = comparison["against"].replace("_", " ")
            count = len(comparison["subjects"])
            named = any(one["towards"] for one in comparison["effects"])
            print_table(
                f"{profile}: against {side} ({count}, {comparison['pictures']} pictures)",
                ["what", *(["towards"] if named else []), "effect", f"{found['level']:.0%} interval", ""],
                [
                    [
                        one["label"],
                        *([one["towards"]] if named else []),
                        number(one["effect"], 2),
                        f"[{number(one['lower'], 2)}, {number(one['upper'], 2)}]",
                        ("" if one["proved"] else "not proved") + (" approximate" if one["approximate"] else ""),
                    ]
                    for one in comparison["effects"][: 2 * _SHOWN]
                ],
                "nothing to compare",
            )
        for sentence in view["summary"]:
            typer.echo(sentence)
        typer.echo("")
