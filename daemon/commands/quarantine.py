"""`quarantine list|show|release|confirm|discard`."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.commands.common import ConfigOption, JsonOption, echo, example, print_json, print_table, settings_of
from daemon.commands.correcting import Reason, tell
from daemon.commands.samples import print_sample
from daemon.model import LABELS, REASONS, ForgetTarget

if TYPE_CHECKING:
    from daemon.detail.views import QuarantinedView

app = typer.Typer(no_args_is_help=True, help="Pictures that are set apart: not measured, not learned from.")

Named = Annotated[list[str], typer.Argument(help="Their sha256, or at least the first 6 digits of each.")]


@app.command("list", epilog=example("sidwatch quarantine list --why near_duplicate"))
def list_quarantine(
    why: Annotated[str | None, typer.Option("--why", help="Only those that are there for this reason.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    offset: Annotated[int, typer.Option("--offset", min=0, help="How many of the oldest to leave out.")] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is in quarantine and why, oldest delivery first."""
    from daemon.intake.quarantine import listed

    if why is not None and why not in REASONS:
        raise typer.BadParameter(f"a reason is one of {', '.join(REASONS)}", param_hint="--why")
    found = listed(settings_of(config), why, limit, offset)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_table(
        "quarantine",
        ["sha256", "reason", "since", "claims", "detail"],
        [
            [one.sha256[:12], one.reason, f"{one.since:%Y-%m-%d %H:%M}", _claims(one), one.detail]
            for one in found.samples
        ],
        "nothing is in quarantine" if why is None else f"nothing is in quarantine for {why}",
    )
    if found.total > len(found.samples):
        shown = f"{offset + 1} to {offset + len(found.samples)}" if found.samples else "none"
        echo(f"{shown} of {found.total}; --offset shows the others")


@app.command("show", epilog=example("sidwatch quarantine show 3f9ac21b"))
def show(
    sha256: Annotated[str, typer.Argument(help="The picture's sha256, or at least its first 6 digits.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one picture that is set apart: why, who said what of it, and how it gets out."""
    from daemon.intake.quarantine import described, ways_out

    found = described(settings_of(config), sha256)
    if as_json:
        print_json({**asdict(found), "excluded": found.excluded, "ways_out": ways_out(found)})
        return
    print_sample(found)
    echo("how it gets out:")
    for way in ways_out(found):
        echo(f"  {way}")


@app.command("release", epilog=example('sidwatch quarantine release 3f9ac21b --reason "another photograph"'))
def release(sha256s: Named, reason: Reason, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let pictures in as they are; what put them into quarantine may do so again.

    Those whose deliveries contradict each other are settled by `confirm`. All of them are let in, or none.
    """
    from daemon.intake.quarantine import release as carry_out

    done = carry_out(settings_of(config), sha256s, getpass.getuser(), reason)
    if as_json:
        print_json({"released": done})
        return
    for sha256 in done:
        echo(f"sample {sha256[:12]} is let in again")


@app.command(
    "confirm",
    epilog=example('sidwatch quarantine confirm 3f9ac21b --label synthetic --family sdxl_base --reason "seen by hand"'),
)
def confirm(
    sha256s: Named,
    reason: Reason,
    label: Annotated[str, typer.Option("--label", help="real or synthetic.")],
    family: Annotated[str | None, typer.Option("--family", help="Of synthetic ones.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what pictures in quarantine are: it wins over deliveries, and ends a quarantine for contradicting labels."""
    from daemon.corrections.asking import relabel
    from daemon.intake.quarantine import in_quarantine

    said = next((known for known in LABELS if known == label), None)
    if said is None:
        raise typer.BadParameter(f"a label is real or synthetic, not {label}", param_hint="--label")
    if family is not None and label != "synthetic":
        raise typer.BadParameter("only a synthetic picture has a family", param_hint="--family")
    settings = settings_of(config)
    digests = in_quarantine(settings, sha256s)
    tell(relabel(settings, digests, said, family, None, getpass.getuser(), reason), as_json)


@app.command("discard", epilog=example('sidwatch quarantine discard 3f9ac21b --reason "a screenshot"'))
def discard(
    sha256: Annotated[str, typer.Argument(help="The picture's sha256, or at least its first 6 digits.")],
    reason: Reason,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a picture in quarantine: its bytes are deleted, and it counts for nothing."""
    from daemon.forget import forget
    from daemon.intake.quarantine import in_quarantine

    settings = settings_of(config)
    (digest,) = in_quarantine(settings, [sha256])
    done = forget(settings, ForgetTarget("sample", digest), reason, getpass.getuser())
    if as_json:
        print_json(done.to_dict())
        return
    for line in done.lines():
        echo(line)


def _claims(one: QuarantinedView) -> str:
    said = dict.fromkeys(
        f"{claim.adapter}: {' '.join(filter(None, (claim.label, claim.family))) or 'no label'}" for claim in one.claims
    )
    return "; ".join(said)
