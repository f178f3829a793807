"""`jobs list|run|pause|resume`."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from daemon.commands.common import ConfigOption, JsonOption, echo, example, print_json, print_table, settings_of, short
from daemon.units import parse_duration

app = typer.Typer(no_args_is_help=True, help="What the service does, and when: the cycle, polls, learning, messages.")

Name = Annotated[str, typer.Argument(metavar="JOB", help="Its name; `sidwatch jobs list` shows them.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; written into the audit.", callback=short)]


@app.command("list", epilog=example("sidwatch jobs list"))
def list_jobs(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the jobs: how often each runs, what became of its last run, and whether it is paused."""
    from daemon.job_operations import job_rows

    rows = job_rows(settings_of(config))
    if as_json:
        print_json(rows)
        return
    columns = ["job", "every", "state", "due", "finished", "paused", "detail"]
    shown = [
        [
            row["job"],
            row["every"] or "when asked for",
            row["outcome"] or row["state"],
            _moment(row["due_at"]),
            _moment(row["finished_at"]),
            row["paused"],
            row["detail"],
        ]
        for row in rows
    ]
    print_table("jobs", columns, shown, "there are no jobs")


@app.command("run", epilog=example("sidwatch jobs run intake_inbox"))
def run(name: Name, reason: Reason = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Have a job done once, now: the running service does it, or the next that starts."""
    from daemon.job_operations import run_job

    _tell(run_job(settings_of(config), name, getpass.getuser(), reason), as_json)


@app.command("pause", epilog=example('sidwatch jobs pause intake_inbox --for 2d --reason "the disk is being moved"'))
def pause(
    name: Name,
    length: Annotated[
        str | None, typer.Option("--for", help="How long, for example 12h or 3d.  [default: until it is resumed]")
    ] = None,
    reason: Reason = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin no further run of a job, also after a restart; status, page and metrics show it as paused."""
    from daemon.job_operations import pause_job

    try:
        asked = None if length is None else parse_duration(length)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from error
    _tell(pause_job(settings_of(config), name, asked, getpass.getuser(), reason), as_json)


@app.command("resume", epilog=example("sidwatch jobs resume intake_inbox"))
def resume(name: Name, reason: Reason = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """End a pause; a job with an interval runs at once."""
    from daemon.job_operations import resume_job

    _tell(resume_job(settings_of(config), name, getpass.getuser(), reason), as_json)


def _tell(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        echo(str(done["outcome"]))


def _moment(at: Any) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M}"
