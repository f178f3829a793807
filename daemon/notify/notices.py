"""What the webhook is told of a change of the champion; the registry writes it in the same transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from daemon.model import AuditRow, VersionRecord

LONGEST_WAIT = timedelta(days=1)  # between two attempts, whatever is configured
TYPES = {"promote": "champion.promoted", "rollback": "champion.rolled_back"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One message, the same bytes in every attempt."""

    audit_number: int
    event_id: str
    body: str  # canonical JSON
    at: datetime


def notice_of(row: AuditRow, record: VersionRecord) -> Notice:
    """The notice of a promotion or a return; its id is the hash of the audit's row, hence the same for ever.

    row: the audit's row of the change. record: the version that came into force.
    """
    body = {
        "id": row.hash,
        "type": TYPES[row.action],
        "timestamp": row.at.astimezone(UTC).isoformat(),
        "data": {
            "version": record.id,
            "previous": row.previous,
            "actor": row.actor,
            "reason": row.reason,
            "audit_number": row.number,
            "encoder_fingerprint": record.fingerprint,
            "learner": record.learner,
            "manifest_sha256": record.manifest_sha256,
            "tensors_sha256": record.tensors_sha256,
            "champion": "/v1/models/champion",
        },
    }
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Notice(row.number, row.hash, text, row.at)
