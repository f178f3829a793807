"""Everything that a version's statistics leave out of what could be learned, each with its reason."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from daemon.context import Context
from daemon.learn.bookkeeping import batches_beside_known, too_much_of_one_source
from daemon.learn.forgetting import learnable
from daemon.model import PROFILES, BatchKey, Exclusion
from daemon.shortcuts.exclusions import exclusions

WHY = "its source brings too much of the family beside what others bring"
WHY_CLIPPED = "it lies implausibly far from the rest of its own group"


def excluded(context: Context, fingerprint: str) -> tuple[Exclusion, ...]:
    """What the statistics of an encoder leave out, by batch and profile.

    What came after the newest picture that they hold is not counted: the same statistics give the same manifest.
    """
    return (
        *exclusions(context.samples, fingerprint),
        *_of_one_source(context, fingerprint),
        *_clipped(context, fingerprint),
    )


def _of_one_source(context: Context, fingerprint: str) -> list[Exclusion]:
    samples = context.samples
    if not samples.known_sources():
        return []
    rows = learnable(samples.labelled_samples(fingerprint), samples.untrusted() | samples.anchored())
    over = too_much_of_one_source(context, rows, batches_beside_known(context))
    newest = max((at for at, n in zip(rows.delivered_at, rows.learned_revision, strict=True) if n > 0), default=None)
    told = Counter(
        over[sample]
        for sample, at in zip(rows.sample_ids.tolist(), rows.delivered_at, strict=True)
        if sample in over and newest is not None and at <= newest
    )
    return _told(told, "source_cap", WHY)


def _clipped(context: Context, fingerprint: str) -> list[Exclusion]:
    clipped = context.samples.clipped(fingerprint)
    if not clipped:
        return []
    revision, batches = context.samples.statistics_revision(fingerprint), context.samples.batches_of_samples()
    told = Counter(batches[row.sample_id] for row in clipped if row.revision <= revision and row.sample_id in batches)
    return _told(told, "clip", WHY_CLIPPED)


def _told(counts: Counter[BatchKey], reason: Literal["source_cap", "clip"], why: str) -> list[Exclusion]:
    return [
        Exclusion(*batch.subject, batch.source, profile, count, reason, why)
        for batch, count in sorted(counts.items())
        for profile in PROFILES
    ]
