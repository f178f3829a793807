"""`families list|show`; the commands that correct them are registered from `correcting`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    echo,
    example,
    interval,
    number,
    print_json,
    print_table,
    settings_of,
)
from daemon.commands.correcting import register
from daemon.commands.looking import print_shortcuts
from daemon.errors import NotFoundError

if TYPE_CHECKING:
    from daemon.corrections.model import FamilyFacts
    from daemon.views import FamilyView

app = typer.Typer(no_args_is_help=True, help="The generator families and how well the champion sees them.")
register(app)


@app.command("list", epilog=example("sidwatch families list"))
def list_families(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the families with state, AP and sample count, their other names, and which are retired or anchors."""
    from daemon.app import read_status
    from daemon.corrections.looking import family_facts

    settings = settings_of(config)
    families = read_status(settings).families
    facts = {one.name: one for one in family_facts(settings)}
    retired = [one for one in facts.values() if one.retired_at is not None]
    if as_json:
        shown = [{**family.model_dump(mode="json"), **_decided(facts.get(family.name))} for family in families]
        print_json([*shown, *({"name": one.name, "state": "retired", **_decided(one)} for one in retired)])
        return
    rows: list[list[object]] = [_row(family, facts.get(family.name)) for family in families]
    rows += [[one.name, _state("retired", one), None, None, one.samples, ", ".join(one.aliases)] for one in retired]
    columns = ["family", "state", "released", "AP raw", "samples", "also called"]
    print_table("families", columns, rows, "no families yet")


def _row(family: FamilyView, facts: FamilyFacts | None) -> list[object]:
    raw = family.profiles.get("raw")
    aliases = ", ".join(facts.aliases) if facts is not None else ""
    ap = number(raw.ap if raw else None)
    return [family.name, _state(family.state, facts), family.released, ap, family.samples, aliases]


def _decided(facts: FamilyFacts | None) -> dict[str, object]:
    """What people decided, beside the figures."""
    if facts is None:
        return {"aliases": [], "retired_at": None, "anchored_at": None}
    return {
        "samples": facts.samples,
        "aliases": list(facts.aliases),
        "retired_at": facts.retired_at,
        "anchored_at": facts.anchored_at,
    }


def _state(state: str, facts: FamilyFacts | None) -> str:
    return f"{state}, anchor" if facts is not None and facts.anchored_at is not None else state


@app.command("show", epilog=example("sidwatch families show sdxl_base"))
def show(
    name: Annotated[str, typer.Argument(help="The family's name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one family, by any of its names, with all its figures, its episodes and what people decided about it."""
    from daemon.app import read_status
    from daemon.corrections.looking import family_facts

    settings = settings_of(config)
    status = read_status(settings)
    facts = next((one for one in family_facts(settings) if name in (one.name, *one.aliases)), None)
    wanted = facts.name if facts is not None else name
    found = next((family for family in status.families if family.name == wanted), None)
    if found is None and (facts is None or facts.retired_at is None):
        raise NotFoundError(f"there is no family {name!r}; `sidwatch families list` shows the names")
    episodes = [episode for episode in status.episodes if episode.family == wanted]
    audits = [view for view in status.shortcuts if (view.kind, view.name) == ("family", wanted)]
    if as_json:
        shown = {"name": wanted, "state": "retired"} if found is None else found.model_dump(mode="json")
        more = {
            "episodes": [e.model_dump(mode="json") for e in episodes],
            "shortcuts": [a.model_dump(mode="json") for a in audits],
        }
        print_json({**shown, **_decided(facts), **more})
        return
    if found is None:
        echo(f"{wanted}: retired")
    else:
        echo(f"{found.name}: {found.state}, released {found.released or 'unknown'}, {found.samples} samples")
    if facts is not None:
        _print_decided(facts)
    if found is not None:
        _print_figures(found)
    if audits:
        print_shortcuts(audits)
    for episode in episodes:
        echo(
            f"  episode {episode.state}: opened {episode.opened_at:%Y-%m-%d}, alarmed after "
            f"{episode.samples_to_alarm} samples, AP {number(episode.ap_before)} -> {number(episode.ap_after)}"
        )


def _print_decided(facts: FamilyFacts) -> None:
    if facts.aliases:
        echo(f"  also called {', '.join(facts.aliases)}")
    if facts.retired_at is not None:
        echo(f"  retired on {facts.retired_at:%Y-%m-%d}: not measured, tested or gated; {facts.samples} samples")
    if facts.anchored_at is not None:
        echo(f"  an anchor since {facts.anchored_at:%Y-%m-%d}: no head learns from it")


def _print_figures(found: FamilyView) -> None:
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
