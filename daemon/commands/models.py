"""`models list|show|promote|approve|reject|rollback|import`; the other ones are in `registry`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.commands import registry
from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    echo,
    example,
    print_json,
    print_table,
    progress_bar,
    said,
    settings_of,
)

app = typer.Typer(no_args_is_help=True, help="The versions, what the gate said of them, and who is champion.")

registry.register(app)

Reason = Annotated[str, typer.Option("--reason", help="Why; written into the audit.", callback=said)]
WithForgotten = Annotated[
    bool,
    typer.Option("--with-forgotten", help="Even if it was solved from samples that were forgotten since; audited."),
]


@app.command("list", epilog=example("sidwatch models list"))
def list_models(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the versions, newest last."""
    from daemon.app import read_versions

    versions = read_versions(settings_of(config))
    if as_json:
        print_json([version.model_dump(mode="json") for version in versions])
        return
    rows = [[v.id, v.role or v.state, v.learner, f"{v.created_at:%Y-%m-%d %H:%M}", v.reason] for v in versions]
    print_table("versions", ["version", "role", "learner", "made", "last decision"], rows, "no versions yet")


@app.command("show", epilog=example("sidwatch models show v0001-0a1b2c3d"))
def show(
    version: Annotated[str, typer.Argument(help="Its id or number (v0002), or champion, challenger or previous.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a version: where it comes from and every number of the gate's verdict."""
    from daemon.promote.describing import describe_version

    found = describe_version(settings_of(config), version)
    if as_json:
        print_json(found)
        return
    for key in ("id", "state", "parent", "learner", "created_at", "encoder", "thresholds"):
        echo(f"{key}: {found[key]}")
    exclusions = found["about"].get("exclusions")
    if exclusions:
        print_table(
            "left out of what it learned",
            ["", "name", "source", "profile", "pictures", "why"],
            [[e[key] for key in ("kind", "name", "source", "profile", "samples", "why")] for e in exclusions],
            "nothing",
        )
    if found["shadow"]:
        shadow = found["shadow"]
        wanted = f" of {shadow['wanted']}" if "wanted" in shadow else ""
        echo(f"shadow: since {shadow['since']}, until {shadow['until']}, {shadow['samples']}{wanted} live pictures")
    verdict = found["verdict"]
    if verdict is None:
        echo("verdict: none yet")
        return
    echo(f"verdict: {verdict['decision']}: {verdict['reason']}")
    print_table(
        "checks",
        ["check", "profile", "subject", "champion", "challenger", "difference", "lower", "upper", "n", "outcome"],
        [_cells(check) for check in verdict["checks"]],
        "no checks",
    )


def _cells(check: dict[str, Any]) -> list[object]:
    figures = [check[key] for key in ("champion", "challenger", "difference", "lower", "upper")]
    subject = check["subject"][1] if check["subject"] else None
    rounded = [None if value is None else f"{value:.4f}" for value in figures]
    return [check["name"], check["profile"], subject, *rounded, check["n"], check["outcome"]]


@app.command("promote", epilog=example('sidwatch models promote v0002-0a1b2c3d --reason "checked by hand"'))
def promote(
    version: Annotated[str, typer.Argument(help="Its id or number (v0002), or champion, challenger or previous.")],
    reason: Reason,
    with_forgotten: WithForgotten = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version the champion by hand; audited."""
    from daemon.promote.by_command import promote_version

    _tell(
        promote_version(settings_of(config), version, getpass.getuser(), reason, with_forgotten=with_forgotten), as_json
    )


@app.command("approve", epilog=example('sidwatch models approve challenger --reason "figures looked at"'))
def approve(
    version: Annotated[str, typer.Argument(help="Its id or number (v0002), or challenger.")],
    reason: Reason,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a version that passed the gate and waits, or judges in the shadow, come into force; audited."""
    from daemon.promote.by_command import decide_version

    _tell(decide_version(settings_of(config), version, True, getpass.getuser(), reason), as_json)


@app.command("reject", epilog=example('sidwatch models reject challenger --reason "wait for a second source"'))
def reject(
    version: Annotated[str, typer.Argument(help="Its id or number (v0002), or challenger.")],
    reason: Reason,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn a version that passed the gate and waits down; audited."""
    from daemon.promote.by_command import decide_version

    done = decide_version(settings_of(config), version, False, getpass.getuser(), reason)
    if as_json:
        print_json(done)
    else:
        echo(f"{done['version']} is rejected; the champion stays {done['previous']}")


@app.command("rollback", epilog=example('sidwatch models rollback --reason "false positives in the newsroom"'))
def rollback(
    reason: Reason, with_forgotten: WithForgotten = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Bring the previous champion back; audited."""
    from daemon.promote.by_command import roll_back_version

    _tell(roll_back_version(settings_of(config), getpass.getuser(), reason, with_forgotten=with_forgotten), as_json)


@app.command("import", epilog=example("sidwatch models import clip_orthogonal_combined.ckpt"))
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A folder that `models export` wrote, or a checkpoint published with arXiv 2602.12381."
        ),
    ],
    encoder_fingerprint: Annotated[
        str | None,
        typer.Option(
            "--encoder-fingerprint",
            help="The encoder it belongs to.  [default: the store's, else the configured one's]",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make another store's version, or a published head, a challenger.

    The version in an exported folder passes through the gate. A checkpoint (orthogonal, linear probe or concept
    model) is promoted by hand.
    """
    from daemon.operations import import_exported, import_head

    if file.is_dir():
        if encoder_fingerprint is not None:
            raise typer.BadParameter("an exported folder says itself which", param_hint="--encoder-fingerprint")
        with progress_bar() as progress:
            done = import_exported(settings_of(config), file, progress)
        if as_json:
            print_json(done)
        else:
            echo(f"{done['version']} ({done['state']}): {done['outcome']}")
        return
    done = import_head(settings_of(config), file, encoder_fingerprint)
    if as_json:
        print_json(done)
        return
    echo(f"{done['version']}: a {done['kind']} model of encoder {done['encoder'][:12]}")
    for note in done["notes"]:
        echo(note)


def _tell(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        echo(f"{done['version']} is champion; before it was {done['previous'] or 'none'}")
