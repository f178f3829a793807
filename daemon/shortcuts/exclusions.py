"""What statistics leave out, each with its reason, as a version's manifest tells it."""

from __future__ import annotations

from daemon.model import Exclusion
from daemon.ports import SampleStore
from daemon.shortcuts.deciding import REASONS


def exclusions(samples: SampleStore, fingerprint: str) -> tuple[Exclusion, ...]:
    """What the statistics of an encoder hold in its laundered form only, by batch.

    Without the audit's figures, which move with every delivery: the same statistics give the same manifest.
    """
    return tuple(
        Exclusion(*batch.subject, batch.source, "raw", n, reason, REASONS[reason])
        for batch, reason, n in samples.raw_left_out(fingerprint)
    )
