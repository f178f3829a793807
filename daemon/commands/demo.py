"""`demo`: the whole story on simulated pictures, told as it happens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.commands.common import JsonOption, example, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from rich.console import Console

    from daemon.demo import Teller
    from daemon.model import Event
    from daemon.ports import Progress
    from daemon.views import Status

COLOURS = {
    "family_evades": "bold red",
    "source_misjudged": "bold red",
    "champion_promoted": "bold green",
    "family_recovered": "bold green",
    "update_held": "yellow",
    "update_rejected": "yellow",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", epilog=example("sidwatch demo --exit --json --seed 7"))(demo)


def demo(
    exit_after: Annotated[bool, typer.Option("--exit", help="End when the story is told.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which simulated world.")] = 0,
    state: Annotated[Path, typer.Option("--state", help="The demo's own folder.")] = Path("sidwatch-demo"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of the status page; 0: any free one.")] = 8600,
    as_json: JsonOption = False,
) -> None:
    """Tell the whole story on SIMULATED pictures: a new generator evades, is noticed, learned, detected."""
    from rich.console import Console

    from daemon.demo import FINISHED, prepare, tell_story
    from daemon.supervisor import Interrupted, StopSignals
    from daemon.telemetry import configure_logs

    configure_logs("warning", "auto")
    signals = StopSignals(interrupting=True)
    signals.install()
    console = Console(stderr=True) if as_json else Console()
    settings = prepare(state, seed, port)
    introduce(console, state, seed)
    summary = None
    try:
        with progress_bar() as progress:
            summary = tell_story(settings, teller(console, progress, exit_after), signals.stop, go_on=not exit_after)
    except Interrupted:
        if (state / FINISHED).exists():
            return
    if summary is None:
        sys.stderr.write("sidwatch: stopped before the story was told; the same command goes on with it\n")
        return
    if as_json:
        print_json(summary)


def introduce(console: Console, state: Path, seed: int) -> None:
    """What is about to happen."""
    console.print("[bold]sidwatch demo[/bold]: SIMULATED pictures, one simulated day a cycle, seed", seed)
    console.print("Six simulated cameras photograph; three simulated generator families are known from the start.")
    console.print(
        "Later two more are released. The service is told nothing about them: it measures, proves, learns, decides."
    )
    console.print(f"Its state is in {state}/; look at it with `sidwatch status --config {state}/config.yaml`.")


def teller(console: Console, progress: Progress, exit_after: bool) -> Teller:
    """The story for people."""
    from daemon.demo import Teller

    def event(happened: Event) -> None:
        console.print(f"  {happened.text}", style=COLOURS.get(happened.kind), highlight=False, markup=False)

    def day(number: int, status: Status) -> None:
        console.print(day_line(number, status), highlight=False, markup=False)

    def page(url: str) -> None:
        console.print(f"status page {url}/   metrics {url}/metrics", highlight=False)

    def end(status: Status) -> None:
        tell_end(status)
        if not exit_after:
            console.print("The story is told; the simulated world goes on, a day every ten seconds. Ctrl-C ends it.")

    def tell_end(status: Status) -> None:
        if not console.stderr:
            print_families(status)

    return Teller(event, day, page, end, progress)


def day_line(number: int, status: Status) -> str:
    """One line per simulated day."""
    mean = status.mean_ap["raw"]
    states = [f"{f.name} {f.state}" for f in status.families if f.state in ("evading", "inverted", "degraded")]
    figures = f"mAP {mean:.3f}" if mean is not None else "no champion yet"
    noticed = f"; {', '.join(states)}" if states else ""
    return f"day {number:2d}: {status.samples['active']} pictures, {len(status.families)} families, {figures}{noticed}"


def print_families(status: Status) -> None:
    """How it came out."""
    rows = []
    for family in status.families:
        raw = family.profiles.get("raw")
        if raw and raw.ap is not None and raw.recall is not None:
            rows.append([family.name, family.state, f"{raw.ap:.3f}", f"{raw.recall:.2f}", raw.n])
    print_table("simulated families", ["family", "state", "AP", "recall", "n"], rows, "nothing was measured")
