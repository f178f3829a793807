"""What statistics leave out, each with its reason, as a version's manifest tells it."""

from __future__ import annotations

from daemon.model import BatchAudit, BatchKey, Exclusion, LeftOut
from daemon.ports import SampleStore
from daemon.shortcuts.auditing import told
from daemon.shortcuts.deciding import REASONS


def exclusions(samples: SampleStore, fingerprint: str) -> tuple[Exclusion, ...]:
    """What the statistics of an encoder hold in its laundered form only, by batch."""
    audits = {audit.batch: audit for audit in samples.shortcut_audits()}
    return tuple(_exclusion(left_out, audits) for left_out in samples.raw_left_out(fingerprint))


def _exclusion(left_out: LeftOut, audits: dict[BatchKey, BatchAudit]) -> Exclusion:
    batch, reason, n = left_out
    audit = audits.get(batch)
    if audit is None or audit.state == "too_few":  # then it was decided for the whole family
        audit = audits.get(BatchKey(batch.subject, ""), audit)
    evidence = f": {told(audit)}" if audit is not None and reason == "metadata_shortcut" else ""
    return Exclusion(*batch.subject, batch.source, "raw", n, reason, f"{REASONS[reason]}{evidence}")
