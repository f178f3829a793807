"""`backtest`: the whole service on a release calendar."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    example,
    number,
    print_json,
    print_table,
    progress_bar,
    settings_of,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "backtest", epilog=example("sidwatch backtest pictures/manifest.csv --encoder forensic --html report.html")
    )(backtest)


def backtest(
    manifest: Annotated[Path, typer.Argument(help="Labelled pictures: CSV, JSONL or Parquet with release dates.")],
    encoder: Annotated[str | None, typer.Option("--encoder", help="Another than the configured one.")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            help="static, gradient, closed_form, mixture or oracle; several times for several.  [default: all]",
            show_default=False,
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a page that needs nothing else.")] = None,
    state: Annotated[
        Path, typer.Option("--state", help="Its own folder; what it has done there is not done again.")
    ] = Path("sidwatch-backtest"),
    period: Annotated[int, typer.Option("--period", min=1, help="Families of one period, at least.")] = 4,
    weeks: Annotated[int, typer.Option("--weeks", min=1, help="Over which a new family's pictures arrive.")] = 4,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay labelled pictures in order of release, as if the service had run then; compare ways of learning.

    Nothing of the running service is touched. A back-test that was cut off goes on when the same command is given.
    """
    from daemon.backtest.command import Asked, back_test
    from daemon.backtest.policies import POLICIES
    from daemon.telemetry import configure_logs

    unknown = [name for name in policy or () if name not in POLICIES]
    if unknown:
        raise typer.BadParameter(f"there is no policy {unknown[0]}: {', '.join(POLICIES)}", param_hint="--policy")
    settings = settings_of(config)
    configure_logs("error", settings.log.format)
    with progress_bar() as progress:
        asked = Asked(manifest, state, tuple(policy or ()), encoder, period, weeks, html)
        report = back_test(settings, asked, progress)
    if as_json:
        print_json(report)
        return
    _print(report)


def _print(report: Mapping[str, Any]) -> None:
    calendar = report["calendar"]
    families = sum(len(period["families"]) for period in calendar)
    typer.echo(
        f"{report['pictures']} pictures, {families} families in {len(calendar)} periods, "
        f"{calendar[0]['first']} to {calendar[-1]['last']}; encoder {report['encoder']['name']}"
    )
    for profile, found in report["profiles"].items():
        print_table(
            f"{profile}: mean AP at the end of each period, mean over periods; then at the very end",
            ["policy", "next period", "past", "whole", "final", "worst", "forgetting", "false positives"],
            [
                [
                    name,
                    *(number(own[f"{span}_map"]) for span in ("next_period", "past", "whole", "final")),
                    f"{number(own['final_worst'])} {own['final_worst_family'] or ''}",
                    number(own["forgetting"]),
                    number(own["final_false_positive_rate"]),
                ]
                for name, own in found["policies"].items()
            ],
            "no policies",
        )
    policies = report["profiles"]["raw"]["policies"]
    print_table(
        "what the service did",
        ["policy", "alarmed", "false alarms", "promoted", "held", "rejected"],
        [
            [
                name,
                sum(family["samples_to_alarm"] is not None for family in own["families"].values()),
                *(own[key] for key in ("false_alarms", "promotions", "held", "rejected")),
            ]
            for name, own in policies.items()
        ],
        "no policies",
    )
