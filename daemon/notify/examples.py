"""Example pictures of what a message is about: those that the champion is most wrong about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from daemon.context import Context
from daemon.errors import SidwatchError
from daemon.explain.thumbnail import thumbnails
from daemon.model import Subject
from daemon.notify.message import Picture

log = structlog.get_logger("sidwatch.notify")


def worst_examples(context: Context, subject: tuple[str, str], count: int) -> list[dict[str, Any]]:
    """sha256 and logit of a family's most real-looking pictures, or of a real source's most synthetic-looking ones."""
    champion = context.registry.champion()
    if champion is None or count == 0:
        return []
    kind, name = subject
    rows = [
        row
        for row in context.samples.scored_rows(champion.id, "raw")
        if (row.subject.kind, row.subject.name) == (kind, name)
    ]
    rows.sort(key=lambda row: (row.logit if kind == "family" else -row.logit, row.sample_id))
    if not rows:  # a champion that has scored none of them yet, as after a promotion: the newest pictures
        newest = context.samples.newest_pictures(Subject("family" if kind == "family" else "source", name), count)
        return [{"sha256": sha256, "logit": None} for sha256 in newest]
    names = context.samples.picture_names([row.sample_id for row in rows[: 4 * count]])
    found = [{"sha256": names[row.sample_id], "logit": round(row.logit, 3)} for row in rows if row.sample_id in names]
    return found[:count]


def small_copies(context: Context, examples: Sequence[Mapping[str, Any]]) -> list[Picture]:
    """JPEG copies of the examples whose bytes are still there; made in a child, for the bytes are untrusted.

    A message goes out without a picture rather than not at all: what fails is logged.
    """
    found = []
    for example in examples:
        sha256 = str(example["sha256"])
        try:
            (copy,) = thumbnails([context.samples.blob(sha256)], context.settings.intake)
        except SidwatchError as error:
            log.warning("an example picture is left out of a message", sha256=sha256, error=str(error))
            continue
        found.append(Picture(sha256, example.get("logit"), copy))
    return found
