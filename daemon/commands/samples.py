"""`samples show|relabel`."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    echo,
    example,
    number,
    print_json,
    print_table,
    settings_of,
)
from daemon.commands.correcting import Reason, tell
from daemon.model import LABELS
from daemon.shortcuts.deciding import REASONS

if TYPE_CHECKING:
    from daemon.corrections.model import SampleFacts
    from daemon.model import FileFacts

app = typer.Typer(no_args_is_help=True, help="Single pictures: what is known of one, and people's word on it.")


@app.command("show", epilog=example("sidwatch samples show 3f9ac21b"))
def show(
    sha256: Annotated[str, typer.Argument(help="The picture's sha256, or at least its first 6 digits.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one picture: deliveries, label, split, scores by version, what has learned it and what may not."""
    from daemon.app import open_for
    from daemon.corrections.selecting import checked_prefix

    with open_for(settings_of(config), read_only=True) as store:
        found = store.samples.sample_facts(checked_prefix(sha256))
    if as_json:
        print_json({**asdict(found), "excluded": found.excluded})
    else:
        print_sample(found)


def print_sample(found: SampleFacts) -> None:
    """Everything that is known of one picture, for a person."""
    label = " ".join(filter(None, (found.label or "no label", found.family)))
    echo(f"{found.sha256}: {label}, source {found.source} ({found.trust}), {found.state}")
    if found.reason:
        echo(f"  {found.reason}: {found.detail}")
    if found.relabelled is not None:
        said = found.relabelled
        echo(f"  relabelled by {said.actor} on {said.at:%Y-%m-%d}: {said.reason}")
    echo(f"  group {found.group}: {found.split}, fold {found.fold}; first delivered {found.delivered_at:%Y-%m-%d}")
    size = f"{found.format} {found.width} x {found.height}" if found.width else "not inspected"
    kept = "picture kept" if found.has_blob else "picture not kept"
    echo(f"  {size}, {kept}, vectors of {len(found.vectors)} encoders")
    if found.facts is not None:
        echo(f"  {_file(found.facts)}, {found.size} bytes")
    for one in found.learned:
        form = f", laundered only: {REASONS[one.raw_left_out]}" if one.raw_left_out else ""
        echo(f"  learned as {one.subject.kind} {one.subject.name} by encoder {one.fingerprint[:12]}{form}")
    for far in found.clipped:
        echo(
            f"  not learned by encoder {far.fingerprint[:12]}: it lies {far.spreads:.1f} spreads beyond the usual "
            f"distance in {far.subject.kind} {far.subject.name}, measured by {far.version}"
        )
    if found.excluded:
        echo(f"  not learned from: {found.excluded}")
    print_table(
        "deliveries",
        ["adapter", "uri", "label", "family", "source", "released", "trust", "at"],
        [
            [d.adapter, d.uri, d.label, d.family, d.source, d.released, d.trust, f"{d.at:%Y-%m-%d %H:%M}"]
            for d in found.deliveries
        ],
        "nobody delivers it any more",
    )
    print_table(
        "scores",
        ["version", "profile", "logit", "had learned it", "at"],
        [[s.version, s.profile, number(s.logit), s.learned, f"{s.at:%Y-%m-%d %H:%M}"] for s in found.scores],
        "not scored yet",
    )


def _file(facts: FileFacts) -> str:
    parts = [f"mode {facts.mode}"]
    if facts.luminance is not None:
        parts.append(f"JPEG tables {facts.tables} (mean {facts.luminance:.1f}), chroma {facts.subsampling or 'none'}")
    flags = {"progressive": facts.progressive, "EXIF": facts.exif, "colour profile": facts.icc}
    return ", ".join(parts + [name for name, there in flags.items() if there])


@app.command(
    "relabel",
    epilog=example('sidwatch samples relabel 3f9ac21b --label synthetic --family sdxl_base --reason "seen by hand"'),
)
def relabel(
    sha256s: Annotated[list[str], typer.Argument(help="The pictures' sha256, or at least the first 6 digits of each.")],
    reason: Reason,
    label: Annotated[str | None, typer.Option("--label", help="real or synthetic.")] = None,
    family: Annotated[
        str | None, typer.Option("--family", help="Of a synthetic one.  [default: as the deliveries say]")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="The collection it is from.  [default: as delivered first]")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take a relabelling back: the deliveries decide again.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what pictures are; it wins over deliveries, later ones too, and over the quarantine for contradicting labels.

    Statistics, scores, figures and alarms follow; a challenger is solved when something was learned wrongly.
    """
    from daemon.corrections.asking import relabel as carry_out

    if undo == (label is not None):
        raise typer.BadParameter("give --label real, --label synthetic or --undo", param_hint="--label")
    said = next((known for known in LABELS if known == label), None)
    if said is None and label is not None:
        raise typer.BadParameter(f"a label is real or synthetic, not {label}", param_hint="--label")
    if family is not None and label != "synthetic":
        raise typer.BadParameter("only a synthetic picture has a family", param_hint="--family")
    if source is not None and undo:
        raise typer.BadParameter("with --undo the deliveries decide the source", param_hint="--source")
    tell(carry_out(settings_of(config), sha256s, said, family, source, getpass.getuser(), reason), as_json)
