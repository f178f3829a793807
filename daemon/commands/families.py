"""`families list|show`."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    example,
    interval,
    number,
    print_json,
    print_table,
    settings_of,
)
from daemon.errors import BadInputError

app = typer.Typer(no_args_is_help=True, help="The generator families and how well the champion sees them.")


@app.command("list", epilog=example("sidwatch families list"))
def list_families(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the families with state, AP and sample count."""
    from daemon.app import read_status

    families = read_status(settings_of(config)).families
    if as_json:
        print_json([family.model_dump(mode="json") for family in families])
        return
    rows = [
        [f.name, f.state, f.released, number(raw.ap if raw else None), f.samples]
        for f in families
        for raw in [f.profiles.get("raw")]
    ]
    print_table("families", ["family", "state", "released", "AP raw", "samples"], rows, "no families yet")


@app.command("show", epilog=example("sidwatch families show sdxl_base"))
def show(
    name: Annotated[str, typer.Argument(help="The family's name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one family with all its figures and its episodes."""
    from daemon.app import read_status

    status = read_status(settings_of(config))
    found = next((family for family in status.families if family.name == name), None)
    if found is None:
        raise BadInputError(f"there is no family {name!r}; `sidwatch families list` shows the names")
    episodes = [episode for episode in status.episodes if episode.family == name]
    if as_json:
        print_json({**found.model_dump(mode="json"), "episodes": [e.model_dump(mode="json") for e in episodes]})
        return
    typer.echo(f"{found.name}: {found.state}, released {found.released or 'unknown'}, {found.samples} samples")
    by_window = {"held_out": found.profiles, **found.windows, "by the challenger": found.challenger}
    print_table(
        "figures",
        ["window", "profile", "AP", "AUROC", "recall", "n"],
        [
            [
                window,
                profile,
                ("≈ " if f.approximate else "") + interval(f.ap, f.ap_lower, f.ap_upper),
                interval(f.auroc, f.auroc_lower, f.auroc_upper),
                interval(f.recall, f.recall_lower, f.recall_upper),
                f.n,
            ]
            for window, profiles in by_window.items()
            for profile, f in profiles.items()
        ],
        "not measured yet",
    )
    for episode in episodes:
        typer.echo(
            f"  episode {episode.state}: opened {episode.opened_at:%Y-%m-%d}, alarmed after "
            f"{episode.samples_to_alarm} samples, AP {number(episode.ap_before)} -> {number(episode.ap_after)}"
        )
