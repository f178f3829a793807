"""The stage: audits every batch whose pictures, or those it is compared with, are not those of its last audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from daemon.context import Context
from daemon.model import BatchAudit, BatchCount, BatchKey, BatchState, Event, FileRow
from daemon.settings import ShortcutAuditSettings
from daemon.shortcuts.measuring import separation

_METHOD = "logistic-1"  # part of the digest: another way to measure audits everything anew
_OTHERS = 600  # most pictures of the other label, spread over their batches


def audit_shortcuts(context: Context) -> int:
    """Audit what is due; returns how many batches changed their state.

    An audit follows from the pictures that are there alone. It is written with its event in one transaction, and the
    event's key counts the batch's states: a kill between any two lines neither loses one nor tells it twice.
    """
    settings = context.settings.shortcut_audit
    rows = by_batch(context.samples.file_rows(settings.most_pictures))
    counts = with_whole_subjects(context.samples.batch_counts())
    stored = {audit.batch: audit for audit in context.samples.shortcut_audits()}
    now = context.clock.now()
    changes: list[tuple[BatchAudit, Event | None]] = []
    for batch, count in sorted(counts.items()):
        before = stored.get(batch)
        own, others = sides(rows, batch)
        digest = digest_of(own, others, count, settings)
        if before is not None and before.digest == digest:
            continue
        after = audited(batch, own, others, count, settings, before, digest, now)
        changes.append((after, _event(before, after, settings)))
    gone = sorted(stored.keys() - counts.keys())
    if changes or gone:
        context.samples.save_shortcut_audits(changes, gone)
    return sum(1 for audit, _ in changes if audit.batch not in stored or stored[audit.batch].state != audit.state)


def by_batch(rows: Sequence[FileRow]) -> dict[BatchKey, list[FileRow]]:
    """The rows of each batch, in their order."""
    found: dict[BatchKey, list[FileRow]] = {}
    for row in rows:
        found.setdefault(row.batch, []).append(row)
    return found


def with_whole_subjects(counts: dict[BatchKey, BatchCount]) -> dict[BatchKey, BatchCount]:
    """The batches, and for a subject of several sources one of all of them together, for where each says too little."""
    whole: dict[BatchKey, list[BatchCount]] = {}
    for batch, count in counts.items():
        whole.setdefault(BatchKey(batch.subject, ""), []).append(count)
    together = {
        batch: BatchCount(sum(part.samples for part in parts), sum(part.known for part in parts))
        for batch, parts in whole.items()
        if len(parts) > 1
    }
    return counts | together


def sides(rows: dict[BatchKey, list[FileRow]], batch: BatchKey) -> tuple[list[FileRow], list[FileRow]]:
    """The pictures of a batch, and those of the other label, each of their batches with at most an equal share.

    Untrusted sources are audited, but compared with nobody: what they deliver must not make others look clean.
    """
    own = [
        row
        for other, found in rows.items()
        if other == batch or (not batch.source and other.subject == batch.subject)
        for row in found
    ]
    against = {
        other: [row for row in found if row.learnable]
        for other, found in rows.items()
        if other.subject.kind != batch.subject.kind
    }
    against = {other: found for other, found in against.items() if found}
    share = max(1, _OTHERS // max(1, len(against)))
    return own, [row for _, found in sorted(against.items()) for row in found[:share]]


def digest_of(
    own: Sequence[FileRow], others: Sequence[FileRow], count: BatchCount, settings: ShortcutAuditSettings
) -> str:
    """Of everything that an audit is made from."""
    told = [_METHOD, settings.threshold, settings.min_groups, *count]
    for side in (own, others):
        told += ["side", *sorted((row.sample_id, row.group) for row in side)]
    return sha256(repr(told).encode()).hexdigest()


def audited(
    batch: BatchKey,
    own: Sequence[FileRow],
    others: Sequence[FileRow],
    count: BatchCount,
    settings: ShortcutAuditSettings,
    before: BatchAudit | None,
    digest: str,
    now: datetime,
) -> BatchAudit:
    """What is to be said of a batch; before: its last audit, if there was one."""
    enough = min(len({row.group for row in side}) for side in (own, others)) >= settings.min_groups
    found = separation(own, others) if enough else None
    state: BatchState = "too_few"
    if found is not None:
        state = "shortcut" if found.auroc > settings.threshold else "clean"
    number = (before.number if before else 0) + (before is None or before.state != state)
    return BatchAudit(
        batch=batch,
        state=state,
        auroc=None if found is None else found.auroc,
        lower=None if found is None else found.lower,
        upper=None if found is None else found.upper,
        n=len(own) if found is None else found.n,
        groups=len({row.group for row in own}) if found is None else found.groups,
        others=len(others),
        unknown=count.samples - count.known,
        threshold=settings.threshold,
        digest=digest,
        at=now,
        number=number,
    )


def _event(before: BatchAudit | None, after: BatchAudit, settings: ShortcutAuditSettings) -> Event | None:
    """A batch that is, or is no longer, a shortcut is news."""
    was = before is not None and before.state == "shortcut"
    if was == (after.state == "shortcut"):
        return None
    kind, name = after.batch.subject
    about = f"{name} of {after.batch.source or 'all sources'}"
    if after.state == "shortcut":
        follows = "no head learns its raw form" if settings.action == "laundered_only" else "it is learned all the same"
        event, text = "shortcut_found", f"{about}: {told(after)}; {follows}"
    else:
        event, text = "shortcut_over", f"{about} is no metadata shortcut any more: {told(after)}"
    data: dict[str, object] = {
        "subject": [kind, name],
        "source": after.batch.source,
        "state": after.state,
        "auroc": after.auroc,
        "lower": after.lower,
        "upper": after.upper,
        "n": after.n,
        "groups": after.groups,
        "others": after.others,
        "unknown": after.unknown,
        "threshold": after.threshold,
        "action": settings.action,
    }
    key = f"{event}:{kind}:{name}:{after.batch.source}:{after.number}:{after.digest[:12]}"
    return Event(None, key, event, after.at, text, data)


def told(audit: BatchAudit) -> str:
    """One line for a person."""
    other = "real" if audit.batch.subject.kind == "family" else "synthetic"
    if audit.auroc is None:
        return f"too few to tell: {audit.n} pictures in {audit.groups} groups against {audit.others} {other} ones"
    return (
        f"file metadata alone tells it from {other} pictures with AUROC {audit.auroc:.3f} "
        f"[{audit.lower:.3f}, {audit.upper:.3f}], n {audit.n} against {audit.others}, line {audit.threshold:g}"
    )
