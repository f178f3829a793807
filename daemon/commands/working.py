"""`ingest`, `evaluate`, `score`, `update`, `retrain`, `recalibrate`: one piece of the service's work by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    counts,
    example,
    interval,
    number,
    print_json,
    print_table,
    progress_bar,
    settings_of,
)
from daemon.errors import AnswerIsNo, BadInputError
from daemon.model import Trust

if TYPE_CHECKING:
    from daemon.supervisor import UpdateOutcome


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest", epilog=example("sidwatch ingest pictures/manifest.csv --trust trusted"))(ingest)
    app.command("evaluate", epilog=example("sidwatch evaluate --window last_30d --json"))(evaluate)
    app.command("score", epilog=example("sidwatch score photo.jpg"))(score)
    app.command("update", epilog=example("sidwatch update"))(update)
    app.command("recalibrate", epilog=example("sidwatch recalibrate"))(recalibrate)
    app.command("retrain", epilog=example("sidwatch retrain --learner gradient"))(retrain)


def ingest(
    path: Annotated[Path, typer.Argument(help="A folder (real/..., <family>/...) or a manifest.")],
    trust: Annotated[str, typer.Option("--trust", help="trusted, known or untrusted.")] = "known",
    root: Annotated[
        Path | None,
        typer.Option("--root", help="The folder that a manifest's paths lie below.  [default: the manifest's own]"),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in pictures from a folder or a manifest now; the next cycle measures them."""
    from daemon.operations import ingest_path

    if trust not in ("trusted", "known", "untrusted"):
        raise typer.BadParameter("it is trusted, known or untrusted", param_hint="--trust")
    checked: Trust = trust  # type: ignore[assignment]
    with progress_bar() as progress:
        done = ingest_path(settings_of(config), path, checked, progress, root)
    if as_json:
        print_json(done)
        return
    typer.echo(f"{done['offered']} offered, {done['stored']} stored, rejected: {counts(done['rejected'])}")
    for one in done["examples"]:
        named = "" if one["uri"] in one["detail"] else f"{one['uri']}: "
        typer.echo(f"  {one['reason']}: {named}{one['detail']}")
    if sum(done["rejected"].values()) > len(done["examples"]):
        typer.echo("  ...")
    typer.echo("`sidwatch run --until-idle` measures them now")


def evaluate(
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            help="Another version, or outside:NAME, a detector whose scores came.",
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            help="prequential, last_200, last_30d, ... as configured, or all.  [default: every picture]",
            show_default=False,
        ),
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="Only mean AP and worst family of each window.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a version on every family and real source, on pictures it has not learned; stores nothing."""
    from daemon.operations import evaluate_version, summarise_version

    rows = (summarise_version if summary else evaluate_version)(settings_of(config), version, window)
    if as_json:
        print_json(rows)
    elif summary:
        _print_summary(rows)
    else:
        _print_evaluation(rows)


def _print_evaluation(rows: list[dict[str, Any]]) -> None:
    print_table(
        "evaluation",
        ["subject", "profile", "window", "AP", "AUROC", "recall", "false positives", "n"],
        [
            [
                r["name"],
                r["profile"],
                r["window"],
                ("≈ " if r["approximate"] else "") + interval(r["ap"], r["ap_lower"], r["ap_upper"]),
                interval(r["auroc"], r["auroc_lower"], r["auroc_upper"]),
                interval(r["recall"], r["recall_lower"], r["recall_upper"]),
                interval(r["false_positive_rate"], r["false_positive_lower"], r["false_positive_upper"]),
                r["n"],
            ]
            for r in rows
        ],
        "nothing is measured yet",
    )


def _print_summary(rows: list[dict[str, Any]]) -> None:
    print_table(
        "all families together",
        ["window", "profile", "families", "mAP", "worst AP", "worst family", "false positives"],
        [
            [
                r["window"],
                r["profile"],
                r["families"],
                number(r["mean_ap"]),
                number(r["worst_ap"]),
                r["worst_family"],
                number(r["false_positive_rate"]),
            ]
            for r in rows
        ],
        "nothing is measured yet",
    )


def score(
    images: Annotated[list[Path], typer.Argument(help="Pictures: JPEG, PNG or WEBP.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge pictures by the champion: probability, verdict at the threshold, the family that fired."""
    from daemon.operations import score_files

    rows = score_files(settings_of(config), images)
    if as_json:
        print_json(rows)
        return
    if any(r["threshold"] is None for r in rows):
        typer.echo("no threshold yet (too few real pictures), so nothing is called synthetic", err=True)
    print_table(
        "scores",
        ["picture", "verdict", "probability", "logit", "threshold", "family", "nearest real source"],
        [
            [
                r["path"],
                r["verdict"],
                number(r["probability"]),
                number(r["logit"]),
                number(r["threshold"]),
                r["family"],
                r["nearest_real_source"],
            ]
            for r in rows
        ],
        "no pictures",
    )


def update(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Learn from everything there is and let the gate decide (exit status 1: no); a running service is asked to."""
    from daemon.operations import update_now

    _tell(update_now(settings_of(config)), as_json)


def recalibrate(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Place the champion's thresholds and calibration anew, through the gate; a running service is asked to."""
    from daemon.operations import update_now

    _tell(update_now(settings_of(config), "recalibrate"), as_json)


def retrain(
    learner: Annotated[
        str,
        typer.Option(
            "--learner",
            help="closed_form; gradient: the paper's recipe; probe: logistic regression; concept: concepts.",
        ),
    ] = "closed_form",
    read_out: Annotated[
        str | None,
        typer.Option("--read-out", help="mixture or linear, for closed_form.  [default: as configured]"),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a challenger by any learner and let the gate decide (exit status 1: no); a running service is asked to."""
    from daemon.learn.retraining import job_of
    from daemon.operations import update_now

    settings = settings_of(config)
    try:
        job = job_of(learner, read_out, settings)
    except BadInputError as error:
        raise typer.BadParameter(str(error)) from error
    with progress_bar() as progress:
        done = update_now(settings, job, progress)
    _tell(done, as_json)


def _tell(done: UpdateOutcome, as_json: bool) -> None:
    if as_json:
        print_json({"outcome": done.text, "version": done.version, "decision": done.decision})
    else:
        typer.echo(done.text)
    if done.decision in ("hold", "reject"):
        raise AnswerIsNo(f"{done.version} was not promoted: the gate says {done.decision}")
