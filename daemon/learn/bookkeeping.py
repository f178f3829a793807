"""Keeps the group statistics in step with the samples: adds what may be learned, takes out what may not any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from daemon.context import Context
from daemon.heads import GroupStatistics, forms
from daemon.heads.statistics import Rows
from daemon.learn.capping import over_cap
from daemon.learn.clipping import Clips, clip
from daemon.learn.forgetting import learnable, subtracted, to_take_out
from daemon.model import (
    PROFILES,
    BatchKey,
    LabelledSamples,
    LabelledVectors,
    LearnedRow,
    LeftOutReason,
    Profile,
    Subject,
)
from daemon.ports import StatisticsKey
from daemon.shortcuts.auditing import audit_shortcuts
from daemon.shortcuts.deciding import left_out_of


def finish_forgetting(context: Context) -> int:
    """Carry on with what was asked to be forgotten until its last byte is gone; returns how many samples went.

    Statistics first, for the vectors to subtract are among those bytes. Killed anywhere, it goes on from the store.
    """
    if all(record.state == "done" for record in context.samples.forgets()):
        return 0
    for fingerprint in context.samples.learned_fingerprints():
        _keep_books(context, fingerprint, adding=False)
    return context.samples.erase_forgotten(context.clock.now())


def finish_corrections(context: Context) -> int:
    """Let the statistics of every encoder follow what people corrected; returns how many corrections were open.

    What was learned as something else is subtracted there and added here. Killed anywhere, it goes on from the store.
    """
    pending = context.samples.pending_corrections()
    if pending:
        audit_shortcuts(context)  # a renamed or relabelled batch must not be learned raw before it was looked at
        for fingerprint in context.samples.learned_fingerprints():
            _keep_books(context, fingerprint, adding=True)
        context.samples.finish_corrections(pending, context.clock.now())
    return len(pending)


def bring_up_to_date(context: Context, fingerprint: str | None = None) -> None:
    """Make the statistics of one encoder (None: that in force) hold what may be learned, no more and no less."""
    audit_shortcuts(context)
    _keep_books(context, fingerprint or context.encoder.fingerprint, adding=True)


def _keep_books(context: Context, fingerprint: str, *, adding: bool) -> None:
    """One transaction: nothing is ever added or subtracted twice."""
    samples = context.samples
    revision = samples.statistics_revision(fingerprint)  # first: whatever changes from here on makes the commit refuse
    learned = samples.learned_rows(fingerprint)
    barred = samples.untrusted() | samples.anchored()
    rows = learnable(samples.labelled_samples(fingerprint), barred)
    batches = batches_beside_known(context)
    rows = rows.without(too_much_of_one_source(context, rows, batches).keys())
    clips = Clips()
    if adding:
        left_out = _raw_left_out(context, rows)
        form_of = _forms(context, rows)
        # Scored first, learned later; what was learned before, as whatever, needs no such score any more.
        rows = rows.without(set(_unscored(context, fingerprint, rows.without({row.sample_id for row in learned}))))
        clips = clip(context, fingerprint, rows, batches, left_out, form_of)
        rows = rows.without(clips.samples)
    else:  # what was forgotten goes; what an audit says since is followed when its rows can be learned anew
        left_out = {row.sample_id: row.raw_left_out for row in learned if row.raw_left_out is not None}
        form_of = {row.sample_id: row.form for row in learned}
    gone = to_take_out(learned, rows, left_out, form_of)
    held = {row.sample_id for row in learned} - gone
    fresh: dict[Profile, LabelledVectors] = {}
    for profile in PROFILES if adding else ():
        skipped = held | left_out.keys() if profile == "raw" else held
        fresh[profile] = samples.with_vectors(fingerprint, profile, rows.without(skipped))
    touched = {row.subject for row in learned if row.sample_id in gone}
    touched.update(*(own.subjects for own in fresh.values()))
    files = samples.statistics(fingerprint, touched)

    def read(profile: Profile, wanted: Sequence[LearnedRow]) -> Rows:
        vectors = samples.vectors_of(fingerprint, profile, [row.sample_id for row in wanted])
        return vectors, np.array([row.fold for row in wanted], np.int8)

    changed = subtracted(files, learned, gone, read)
    new: set[int] = set()
    for profile, own in fresh.items():
        new.update(own.sample_ids.tolist())
        _add(changed, files, own, profile, form_of)
    if changed:
        packed = {key: (forms.count(group), forms.to_bytes(group)) for key, group in changed.items()}
        now = context.clock.now()
        samples.commit_statistics(
            fingerprint,
            revision + 1,
            packed,
            sorted(new),
            now,
            removed=sorted(gone),
            raw_left_out={sample: left_out[sample] for sample in sorted(new & left_out.keys())},
            forms={sample: form_of[sample] for sample in sorted(new & form_of.keys())},
            clips=clips.decided,
        )
    elif clips.decided:
        samples.commit_clips(fingerprint, revision, clips.decided)


def batches_beside_known(context: Context) -> dict[int, BatchKey]:
    """The batch of every sample; nothing when no source is merely known, for then nobody asks."""
    return context.samples.batches_of_samples() if context.samples.known_sources() else {}


def too_much_of_one_source(
    context: Context, may_learn: LabelledSamples, batches: Mapping[int, BatchKey]
) -> dict[int, BatchKey]:
    """Which samples are not learned because one source brings too much of their family, with their batches.

    batches: see `batches_beside_known`.
    """
    known, settings = context.samples.known_sources(), context.settings.learn
    there = may_learn.take([i for i, sample in enumerate(may_learn.sample_ids.tolist()) if sample in batches])
    return over_cap(there, batches, known, settings.known_source_pictures, settings.known_source_share)


def _raw_left_out(context: Context, may_learn: LabelledSamples) -> dict[int, LeftOutReason]:
    """Of which samples no head may learn the raw form, by the last audits."""
    if context.settings.shortcut_audit.action == "report":
        return {}
    audits = context.samples.shortcut_audits()
    if all(audit.state != "shortcut" for audit in audits):  # then nothing is left out, whatever is in which batch
        return {}
    batches = context.samples.batches_of_samples()
    mine = {sample: batches[sample] for sample in may_learn.sample_ids.tolist() if sample in batches}
    return left_out_of(mine, audits)


def _forms(context: Context, may_learn: LabelledSamples) -> dict[int, str]:
    """In which file format the pictures of families came; real sources are one group each, whatever the format."""
    families = may_learn.take(np.flatnonzero(may_learn.synthetic))
    return context.samples.formats(families.sample_ids.tolist())


def _add(
    changed: dict[StatisticsKey, dict[str, GroupStatistics]],
    files: dict[StatisticsKey, bytes],
    rows: LabelledVectors,
    profile: Profile,
    form_of: Mapping[int, str],
) -> None:
    members: dict[tuple[Subject, str], list[int]] = {}
    for i, (subject, sample) in enumerate(zip(rows.subjects, rows.sample_ids.tolist(), strict=True)):
        members.setdefault((subject, form_of.get(sample, "")), []).append(i)
    for (subject, form), own in sorted(members.items()):
        key = subject, profile
        if key not in changed:
            changed[key] = forms.from_bytes(files[key]) if key in files else {}
        before = changed[key].get(form) or GroupStatistics.empty(rows.vectors.shape[1])
        changed[key][form] = before.add(rows.vectors[own], rows.folds[own])


def _unscored(context: Context, fingerprint: str, rows: LabelledSamples) -> list[int]:
    """Which of the samples no version has scored yet, in no order."""
    if context.registry.champion() is None or not len(rows):
        return []
    ids = rows.sample_ids.tolist()
    return context.samples.unscored(fingerprint, len(ids), among=ids)
