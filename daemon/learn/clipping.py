"""The clip: pictures of known sources that lie implausibly far from their own group are not learned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from daemon.champion import load_version
from daemon.context import Context
from daemon.heads.closed_form import ClosedFormHead
from daemon.learn.implausible import spreads
from daemon.model import PROFILES, BatchKey, GroupClip, LabelledSamples, LeftOutReason, Subject


@dataclass(frozen=True, slots=True)
class Clips:
    """Which samples are left out, and what was decided anew about groups for that."""

    samples: frozenset[int] = frozenset()
    decided: Mapping[Subject, GroupClip | None] = field(default_factory=dict)  # None: nothing is any more


@dataclass(frozen=True, slots=True)
class _Ruler:
    """A version under which distances are taken: it never changes, so the decision can be repeated."""

    version: str
    fold_heads: tuple[ClosedFormHead, ...]


def clip(
    context: Context,
    fingerprint: str,
    rows: LabelledSamples,
    batches: Mapping[int, BatchKey],
    raw_left_out: Mapping[int, LeftOutReason],
    form_of: Mapping[int, str],
) -> Clips:
    """Judge the groups whose pictures are not those that were judged last, under the version in force now.

    A group's decision depends on the version, on the setting and on what may be learned of the group, and on nothing
    else: what was delivered, relabelled or forgotten in between leaves no trace. Only pictures of known sources are
    left out; those of trusted ones count for the middle. Before there is a version to measure by nothing is left out.

    Parameters:
        rows: what may be learned, scored and within the cap, in canonical order.
        batches: of these samples; empty when no source is merely known.
        raw_left_out: of which samples only the laundered form is learned.
        form_of: in which form the pictures of families come, where that is known.
    """
    limit, samples = context.settings.learn.clip_spreads, context.samples
    judged, known = samples.clips_judged(fingerprint), samples.known_sources()
    groups = {} if limit is None or not batches else _with_known(rows, batches, known)
    told = {
        subject: _digest(limit, rows, own, batches, known, raw_left_out, form_of) for subject, own in groups.items()
    }
    decided: dict[Subject, GroupClip | None] = {subject: None for subject in judged if subject not in groups}
    changed = [subject for subject in groups if judged.get(subject) != told[subject]]
    ruler = _ruler(context, fingerprint) if changed else None
    if ruler is not None and limit is not None:
        for subject in changed:
            own = rows.take(groups[subject])
            far = _far(context, fingerprint, ruler, own, raw_left_out, form_of)
            clipped = {
                sample: distance
                for sample, distance in far.items()
                if distance > limit and batches[sample].source in known
            }
            decided[subject] = GroupClip(ruler.version, told[subject], clipped)
    kept = {row.sample_id for row in samples.clipped(fingerprint) if row.subject not in decided} if judged else set()
    anew = {sample for one in decided.values() if one is not None for sample in one.clipped}
    return Clips(frozenset(kept | anew), decided)


def _with_known(rows: LabelledSamples, batches: Mapping[int, BatchKey], known: set[str]) -> dict[Subject, list[int]]:
    """The row numbers of every group that has a picture of a known source."""
    groups: dict[Subject, list[int]] = {}
    for i, subject in enumerate(rows.subjects):
        groups.setdefault(subject, []).append(i)
    of = rows.sample_ids.tolist()
    return {s: own for s, own in sorted(groups.items()) if any(batches[of[i]].source in known for i in own)}


def _digest(
    limit: float | None,
    rows: LabelledSamples,
    own: Sequence[int],
    batches: Mapping[int, BatchKey],
    known: set[str],
    raw_left_out: Mapping[int, LeftOutReason],
    form_of: Mapping[int, str],
) -> str:
    """Of everything that a group's decision depends on beside the version."""
    lines = [f"{limit}"]
    for sample in sorted(rows.sample_ids[own].tolist()):
        who = "known" if batches[sample].source in known else "trusted"
        lines.append(f"{sample} {who} {sample in raw_left_out} {form_of.get(sample, '')}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _far(
    context: Context,
    fingerprint: str,
    ruler: _Ruler,
    own: LabelledSamples,
    raw_left_out: Mapping[int, LeftOutReason],
    form_of: Mapping[int, str],
) -> dict[int, float]:
    """How many spreads each picture of a group lies beyond those of its form, under the profile that says most."""
    far = dict.fromkeys(own.sample_ids.tolist(), 0.0)
    forms = [form_of.get(sample, "") for sample in far]
    for form in sorted(set(forms)):
        for profile in PROFILES:
            alike = own.take(
                [
                    i
                    for i, sample in enumerate(far)
                    if forms[i] == form and not (profile == "raw" and sample in raw_left_out)
                ]
            )
            if not len(alike):
                continue
            vectors = context.samples.vectors_of(fingerprint, profile, alike.sample_ids.tolist())
            for sample, distance in zip(
                alike.sample_ids.tolist(), spreads(ruler.fold_heads, vectors, alike.folds).tolist(), strict=True
            ):
                far[sample] = max(far[sample], distance)
    return far


def _ruler(context: Context, fingerprint: str) -> _Ruler | None:
    """The champion, or the last one before it that was solved in closed form from this encoder's statistics."""
    champion = context.champion.get()
    record = None if champion is None else champion.record
    while record is not None:
        if record.fingerprint == fingerprint:
            loaded = (
                champion
                if champion is not None and record == champion.record
                else load_version(context.registry, record)
            )
            heads = [head for head in loaded.artifact.fold_heads if isinstance(head, ClosedFormHead)]
            if heads:
                return _Ruler(record.id, tuple(heads))
        record = context.registry.version(record.parent) if record.parent else None
    return None
