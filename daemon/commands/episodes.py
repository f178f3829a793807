"""`episodes list|show|ack|close|snooze`."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    echo,
    example,
    number,
    print_json,
    print_table,
    said,
    settings_of,
    short,
)
from daemon.units import parse_duration

app = typer.Typer(no_args_is_help=True, help="The incidents: families that evaded, and what became of it.")

Name = Annotated[str, typer.Argument(metavar="EPISODE", help="Its number, or the family (its last episode).")]
Reason = Annotated[str, typer.Option("--reason", help="Why; written into the audit.", callback=short)]
Why = Annotated[str, typer.Option("--reason", help="Why; written into the audit.", callback=said)]


@app.command("list", epilog=example("sidwatch episodes list --all"))
def list_episodes(
    every: Annotated[bool, typer.Option("--all", help="Recovered and closed ones too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the open episodes, oldest first."""
    from daemon.episodes.by_hand import listed

    found = listed(settings_of(config), every=every)
    if as_json:
        print_json([episode.model_dump(mode="json") for episode in found])
        return
    rows = [
        [
            e.id,
            e.family,
            e.state,
            e.handling if e.recovered_at is None and e.closed_at is None else None,
            f"{e.alarmed_at:%Y-%m-%d %H:%M}",
            e.samples_to_alarm,
            f"{number(e.ap_before)} -> {number(e.ap_after)}",
            e.version,
            e.note,
        ]
        for e in found
    ]
    columns = ["episode", "family", "state", "handling", "alarmed", "votes", "AP", "learned by", "note"]
    print_table("episodes", columns, rows, "no family has evaded yet" if every else "no episode is open")


@app.command("show", epilog=example("sidwatch episodes show 3"))
def show(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one episode: its timeline with evidence, verdicts and versions, and the running tests."""
    from daemon.episodes.by_hand import described

    found = described(settings_of(config), name)
    if as_json:
        print_json(found)
        return
    episode = found["episode"]
    echo(f"episode {episode['id']}: {episode['family']}, {episode['state']}{_handled(episode)}")
    for entry in found["timeline"]:
        echo(f"  {entry['at'][:16].replace('T', ' ')}  {entry['what']:<12}  {entry['text']}")
    for test in found["tests"]:
        again = f", begun anew {test['restarts']} times" if test["restarts"] else ""
        evidence = f"evidence 10^{test['log10_evidence']:.1f} of 10^{test['log10_alarm']:.1f}"
        echo(f"  test against {test['version']}: {evidence} after {test['votes']} votes{again}")


@app.command("ack", epilog=example('sidwatch episodes ack flux_3 --reason "ticket 4711"'))
def ack(name: Name, reason: Reason = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say that somebody is on it: its alert stops, and nobody is told again that the family evades."""
    from daemon.episodes.by_hand import acknowledge

    done = acknowledge(settings_of(config), name, getpass.getuser(), reason)
    _tell(done, f"episode {done.id} of {done.family} is acknowledged by {done.acknowledged_by}", as_json)


@app.command("snooze", epilog=example("sidwatch episodes snooze flux_3 --for 3d"))
def snooze(
    name: Name,
    length: Annotated[str, typer.Option("--for", help="How long, for example 12h or 3d.")],
    reason: Reason = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Be told no more of it for a time: its alert stops until then, and fires again if the family still evades."""
    from daemon.episodes.by_hand import snooze as carry_out

    try:
        asked = parse_duration(length)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from error
    done = carry_out(settings_of(config), name, asked, getpass.getuser(), reason)
    _tell(done, f"episode {done.id} of {done.family} is snoozed until {done.snoozed_until:%Y-%m-%d %H:%M} UTC", as_json)


@app.command("close", epilog=example('sidwatch episodes close flux_3 --reason "the pictures were mislabelled"'))
def close(name: Name, reason: Why, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """End an episode: the family's test begins anew with the pictures that come, at a level out of the budget."""
    from daemon.episodes.by_hand import close as carry_out

    done = carry_out(settings_of(config), name, getpass.getuser(), reason)
    _tell(done, f"episode {done.id} of {done.family} is closed; its test begins anew", as_json)


def _handled(episode: dict[str, Any]) -> str:
    if episode["state"] not in ("alarmed", "learned") or episode["handling"] == "open":
        return ""
    if episode["handling"] == "snoozed":
        return f", snoozed until {episode['snoozed_until'][:16].replace('T', ' ')}"
    return f", acknowledged by {episode['acknowledged_by']}"


def _tell(done: Any, text: str, as_json: bool) -> None:
    if as_json:
        print_json({"episode": done.id, "family": done.family, "state": done.state, "outcome": text})
    else:
        echo(text)
