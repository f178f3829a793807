"""The stage: audits every batch that has changed much since its last audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from daemon.context import Context
from daemon.model import BatchAudit, BatchCount, BatchKey, BatchState, Event, FileRow
from daemon.settings import ShortcutAuditSettings
from daemon.shortcuts.measuring import Separate, separation

_OTHERS = 400  # most pictures of the other label, spread over their batches
_GROWN = 1.25  # a batch that grew or shrank by more is audited anew
_OTHERS_GROWN = 1.5  # and when what it is compared with did
_GONE = BatchCount(0, 0)


def audit_shortcuts(context: Context) -> int:
    """Audit what is due; returns how many batches changed their state.

    An audit is written with its event in one transaction, and the event's key counts the batch's states: a kill
    between any two lines neither loses one nor tells it twice.
    """
    settings = context.settings.shortcut_audit
    stored = {audit.batch: audit for audit in context.samples.shortcut_audits()}
    counts = with_whole_subjects(context.samples.batch_counts())
    counts |= dict.fromkeys(stored.keys() - counts.keys(), _GONE)
    due = {}
    for batch, count in sorted(counts.items()):
        known_others = _known_others(counts, batch)
        if is_due(stored.get(batch), count, known_others, settings):
            due[batch] = known_others
    if not due:
        return 0
    rows = by_batch(context.samples.file_rows(settings.most_pictures))
    now = context.clock.now()
    changes: list[tuple[BatchAudit, Event | None]] = []
    for batch, known_others in due.items():
        before = stored.get(batch)
        after = audited(batch, rows, counts[batch], known_others, settings, before, now, context.separation)
        changes.append((after, _event(before, after, settings) if counts[batch].samples else None))
    context.samples.save_shortcut_audits(changes)
    return sum(audit.batch not in stored or stored[audit.batch].state != audit.state for audit, _ in changes)


def is_due(before: BatchAudit | None, count: BatchCount, known_others: int, settings: ShortcutAuditSettings) -> bool:
    """Whether a batch is to be audited (again): it is new, or much of what was compared is not what it was."""
    if before is None or before.recipe != recipe_of(settings):
        return True
    return _differs(before.known, count.known, _GROWN) or _differs(before.known_others, known_others, _OTHERS_GROWN)


def recipe_of(settings: ShortcutAuditSettings) -> str:
    """How audits are made; whatever changes them must change it."""
    return f"logistic 1, {settings.threshold:g}, {settings.min_groups}, {settings.most_pictures}, {_OTHERS}"


def _differs(before: int, now: int, factor: float) -> bool:
    return max(before, now) > factor * min(before, now)


def _known_others(counts: Mapping[BatchKey, BatchCount], batch: BatchKey) -> int:
    return sum(
        count.known for other, count in counts.items() if other.source and other.subject.kind != batch.subject.kind
    )


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


def audited(
    batch: BatchKey,
    rows: dict[BatchKey, list[FileRow]],
    count: BatchCount,
    known_others: int,
    settings: ShortcutAuditSettings,
    before: BatchAudit | None,
    now: datetime,
    separate: Separate = separation,
) -> BatchAudit:
    """What is to be said of a batch.

    Parameters:
        rows: pictures of every batch.
        count: how much there is of this one.
        known_others: how many pictures of the other label there are with file facts.
        before: its last audit, if there was one.
        separate: tells how far metadata separates the two sides.
    """
    own, others = sides(rows, batch)
    enough = min(len({row.group for row in side}) for side in (own, others)) >= settings.min_groups
    found = separate(own, others) if enough else None
    state: BatchState = "too_few"
    if found is not None:
        state = "shortcut" if found.auroc > settings.threshold else "clean"
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
        known=count.known,
        known_others=known_others,
        threshold=settings.threshold,
        recipe=recipe_of(settings),
        at=now,
        number=1 if before is None else before.number + (before.state != state),
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
    key = f"{event}:{kind}:{name}:{after.batch.source}:{after.number}"
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
