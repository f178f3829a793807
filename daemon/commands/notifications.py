"""`notifications list|test`."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.commands.common import ConfigOption, JsonOption, example, print_json, print_table, settings_of

app = typer.Typer(no_args_is_help=True, help="Messages to people outside: what waits, and whether a channel works.")


@app.command("list", epilog=example("sidwatch notifications list"))
def list_channels(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the channels with what was sent, what waits and the last error."""
    from daemon.app import read_status

    found = read_status(settings_of(config)).channels
    if as_json:
        print_json([channel.model_dump(mode="json") for channel in found])
        return
    rows = [
        [c.channel, c.sent, c.waiting, f"{c.oldest:%Y-%m-%d %H:%M}" if c.oldest else None, c.failures, c.error]
        for c in found
    ]
    columns = ["channel", "sent", "waiting", "oldest", "failed attempts", "last error"]
    print_table("notifications", columns, rows, "no channel is configured; see notify.channels in config.yaml")


@app.command("test", epilog=example("sidwatch notifications test team"))
def test(
    name: Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name in notify.channels.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test message on one channel now; nothing is written to the store."""
    from daemon.notify.trying import send_test

    taken = send_test(settings_of(config), name)
    if as_json:
        print_json({"channel": name, "message": taken.id, "title": taken.title})
        return
    typer.echo(f"{name} took the test message {taken.id}")
