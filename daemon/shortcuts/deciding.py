"""What the audit means for learning: of which samples the raw form is left out, and why; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from daemon.model import BatchAudit, BatchKey, LeftOutReason, SubjectKind

REASONS: Final[Mapping[LeftOutReason, str]] = {
    "metadata_shortcut": "file metadata alone gives its label away",
    "one_sided": "every batch of the other label is left out for its metadata, so the raw form itself would be one",
}


def left_out_of(samples: Mapping[int, BatchKey], audits: Sequence[BatchAudit]) -> dict[int, LeftOutReason]:
    """The samples that no head may learn in their raw form.

    A batch that is a shortcut, or too small to tell in a family that is one as a whole. When one label has no raw
    batch left, the other label's are left out too: a form that only real pictures have teaches "raw means real".

    Parameters:
        samples: those that may be learned, with their batches.
        audits: of all batches.

    Source: method section 6, point 1.
    """
    states = {audit.batch: audit.state for audit in audits}
    batches = set(samples.values())
    failing = {batch for batch in batches if _is_shortcut(batch, states)}
    left: dict[SubjectKind, int] = {"family": 0, "source": 0}
    for batch in batches - failing:
        left[batch.subject.kind] += 1
    one_sided = bool(failing) and not all(left.values())
    found: dict[int, LeftOutReason] = {}
    for sample, batch in samples.items():
        if batch in failing:
            found[sample] = "metadata_shortcut"
        elif one_sided:
            found[sample] = "one_sided"
    return found


def _is_shortcut(batch: BatchKey, states: Mapping[BatchKey, str]) -> bool:
    own = states.get(batch, "too_few")
    return states.get(BatchKey(batch.subject, ""), own) == "shortcut" if own == "too_few" else own == "shortcut"
