"""`adapters list|check`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from daemon.commands.common import ConfigOption, JsonOption, counts, example, print_json, print_table, settings_of

_SHOWN = 40  # characters of a cell; --json gives all of it

app = typer.Typer(no_args_is_help=True, help="Where samples come from.")


@app.command("list", epilog=example("sidwatch adapters list"))
def list_adapters(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the kinds that are installed and the adapters that are configured."""
    from daemon.operations import describe_adapters

    found = describe_adapters(settings_of(config))
    if as_json:
        print_json(found)
        return
    typer.echo(f"installed kinds: {', '.join(found['kinds']) or 'none'}")
    print_table(
        "configured",
        ["adapter", "kind", "every", "trust", "last success", "circuit", "spent today", "stored", "rejected", "cursor"],
        [
            [
                a["name"],
                a["kind"] if a["installed"] else f"{a['kind']} (not installed)",
                a["every"],
                a["trust"],
                a["last_success_at"],
                circuit(a["circuit"]),
                spent(a["spending"]),
                a["stored"],
                counts(a["rejected"]),
                shortened(a["cursor"]),
            ]
            for a in found["adapters"]
        ],
        "no adapters are configured; see `adapters` in config.yaml",
    )
    for a in found["adapters"]:
        if a["circuit"]["failures"]:
            typer.echo(f"{a['name']}: the last poll failed: {a['circuit']['failure']}")
    if found["releases"]:
        print_table(
            "releases found",
            ["adapter", "model", "family", "released", "revision"],
            [
                [r["adapter"], r["model"], r["family"], r["released"], shortened(r["revision"])]
                for r in found["releases"]
            ],
            "",
        )


@app.command("check", epilog=example("sidwatch adapters check inbox --limit 3"))
def check(
    name: Annotated[str, typer.Argument(help="The adapter's name in the configuration.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many candidates to look at.")] = 3,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an adapter would deliver first; stores nothing."""
    from daemon.operations import preview_adapter

    rows = preview_adapter(settings_of(config), name, limit)
    if as_json:
        print_json(rows)
        return
    print_table(
        f"first of {name}",
        ["uri", "label", "family", "source", "group", "caption", "bytes", "problem"],
        [
            [
                r["uri"],
                r["label"],
                r["family"],
                r["source"],
                r["group"],
                shortened(r["caption"]),
                r["bytes"],
                r["problem"],
            ]
            for r in rows
        ],
        f"{name} has nothing to deliver",
    )


def circuit(state: dict[str, Any]) -> str:
    """Whether a source is asked or left alone: closed, or open until when."""
    failures = f" ({state['failures']} failed)" if state["failures"] else ""
    return f"open until {state['retry_at']}{failures}" if state["state"] == "open" else f"closed{failures}"


def spent(account: dict[str, Any] | None) -> str | None:
    """What of the day's budget is used; None for an adapter that pays for nothing."""
    if account is None:
        return None
    images = f"{account['images']} of {account['images_limit']} images"
    if account["money_limit"] is None:
        return images
    return f"{images}, {account['money']:.2f} of {account['money_limit']:.2f}"


def shortened(text: str | None) -> str | None:
    """The beginning of a long text, with a mark that there is more."""
    return text if text is None or len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
