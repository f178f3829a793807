"""Intake: candidates of one adapter become samples, rejections or quarantine."""

from __future__ import annotations

import hashlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC
from functools import partial

import numpy as np

from daemon.context import Context
from daemon.errors import ImageRejected
from daemon.model import FEEDBACK, LABELS, REASONS, Admission, Candidate, Inspected, Material, Receipt
from daemon.ports import Inspector, SampleStore
from daemon.settings import AdapterSettings, IntakeSettings
from daemon.slug import complaint, is_slug

_RELEASED = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def intake(context: Context, adapter: AdapterSettings) -> int:
    """Poll one adapter until it has nothing more; returns how many candidates it offered.

    Every batch is committed with its cursor before the next one is asked for: what was acknowledged stays, and a
    poll that is cut off goes on from there. Ends early when the day's limit is reached. Raises what the poll raises
    (ChildFailed, BadInputError).
    """
    offered = 0
    while True:
        budget = _budget(context, adapter)
        if budget == 0:  # the rest comes on another day: the cursor stays
            context.samples.note_success(adapter.name, context.clock.now())
            return offered
        started = time.monotonic()
        cursor = context.samples.cursor(adapter.name)
        polled = _poll_once(context, adapter, cursor, budget)
        context.meter.fetch(adapter.name, time.monotonic() - started)
        offered += polled
        if polled < budget or context.samples.cursor(adapter.name) == cursor:  # nothing more, or no way on
            context.samples.note_success(adapter.name, context.clock.now())
            return offered


def _budget(context: Context, adapter: AdapterSettings) -> int:
    """Most candidates of the next poll: what one poll may bring, and what is left of the day."""
    if adapter.per_day is None:
        return adapter.budget
    midnight = context.clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(0, min(adapter.budget, adapter.per_day - context.samples.delivered_since(adapter.name, midnight)))


def _poll_once(context: Context, adapter: AdapterSettings, cursor: str | None, budget: int) -> int:
    poll = context.poller(adapter)
    material = material_for(context.samples, adapter)
    if material is not None:
        poll = partial(poll, material=material)
    look = partial(examine, inspector=context.inspector, limits=context.settings.intake)
    offered = 0
    for batch in poll(adapter.name, adapter.kind, adapter.options, cursor, budget, context.clock.now()):
        admissions = []
        # As many threads as there are decoders: each waits for the child that looks at its picture.
        with ThreadPoolExecutor(context.settings.intake.decoders, "intake") as threads:
            for admission in threads.map(look, batch.candidates):
                admissions.append(admission)
                context.progress(f"intake {adapter.name}", offered + len(admissions), 0)
        receipt = context.samples.admit(
            adapter.name, adapter.trust, admissions, batch.cursor, context.clock.now(), batch.releases
        )
        offered += len(batch.candidates)
        context.meter.sample_ingested(adapter.name, receipt.stored)
        count_quarantined(context, adapter.name, receipt)
        for admission in admissions:
            if admission.reason is not None:
                context.meter.rejected(adapter.name, admission.reason, 1)
    return offered


def count_quarantined(context: Context, adapter: str, receipt: Receipt) -> None:
    """Count what one batch put into quarantine."""
    if conflicts := receipt.quarantined - receipt.near_duplicates:
        context.meter.quarantined(adapter, "label_conflict", conflicts)
    if receipt.near_duplicates:
        context.meter.quarantined(adapter, "near_duplicate", receipt.near_duplicates)


def material_for(samples: SampleStore, adapter: AdapterSettings) -> Material | None:
    """What an adapter that makes pictures is given; None when its settings ask for nothing."""
    if adapter.releases_from is None and adapter.captions == 0:
        return None
    releases = samples.releases(adapter.releases_from) if adapter.releases_from is not None else []
    captions = samples.captions(adapter.captions) if adapter.captions else []
    return Material(tuple(releases), tuple(captions))


def examine(candidate: Candidate, inspector: Inspector, limits: IntakeSettings) -> Admission:
    """Check what an adapter claims and what the bytes are; never raises for a bad candidate."""
    content = candidate.content
    digest = hashlib.sha256(content).hexdigest() if content is not None else (candidate.sha256 or "")
    size = len(content) if content is not None else 0
    try:
        inspected = _checked(candidate, digest, inspector, limits)
    except ImageRejected as rejected:
        return Admission(_sane(candidate), digest, size, None, rejected.reason, rejected.detail)
    return Admission(candidate, digest, size, inspected)


def _checked(candidate: Candidate, digest: str, inspector: Inspector, limits: IntakeSettings) -> Inspected | None:
    if candidate.problem is not None:
        reason = candidate.problem if candidate.problem in REASONS else "bad_record"
        raise ImageRejected(reason, candidate.problem_detail or candidate.problem)
    check_claims(candidate)
    content = candidate.content
    if content is None:
        if candidate.vector is None and not candidate.outside_scores:
            raise ImageRejected("unreadable", "neither a picture nor a vector nor a score was delivered")
        return None
    if not content:
        raise ImageRejected("empty", "the file has no bytes")
    if len(content) > limits.max_bytes:
        raise ImageRejected("too_many_bytes", f"{len(content)} bytes, allowed are {limits.max_bytes}")
    if candidate.sha256 and candidate.sha256 != digest:
        raise ImageRejected("digest_mismatch", f"promised {candidate.sha256[:12]}…, got {digest[:12]}…")
    return inspector.inspect(content)


def check_claims(candidate: Candidate) -> None:
    """Raises ImageRejected (`bad_record`) when what is claimed of a picture contradicts itself or is malformed."""
    if candidate.label is not None and candidate.label not in LABELS:
        raise ImageRejected("bad_record", f"label {candidate.label!r} is neither real nor synthetic")
    if candidate.family is not None and not is_slug(candidate.family):
        raise ImageRejected("bad_record", complaint(candidate.family))
    if candidate.family is not None and candidate.label == "real":
        raise ImageRejected("bad_record", "a real picture has no generator family")
    if candidate.source == FEEDBACK:
        raise ImageRejected("bad_record", f"the source {FEEDBACK!r} is kept for what people report")
    if candidate.released is not None and not _RELEASED.fullmatch(candidate.released):
        raise ImageRejected("bad_record", f"release date {candidate.released[:40]!r} is not YYYY[-MM[-DD]]")
    if candidate.sha256 is not None and not _SHA256.fullmatch(candidate.sha256):
        raise ImageRejected("bad_record", "sha256 is not 64 hex digits")
    if candidate.content is None and candidate.sha256 is None and candidate.problem is None:
        raise ImageRejected("bad_record", "a delivery without a picture needs the picture's sha256")
    if candidate.vector is not None:
        if not candidate.vector_fingerprint:
            raise ImageRejected("bad_record", "a vector needs the fingerprint of its encoder")
        if candidate.vector.ndim != 1 or not np.isfinite(candidate.vector).all():
            raise ImageRejected("bad_record", "the vector is not one row of finite float16 numbers")
    for detector, score in candidate.outside_scores:
        if not detector or not np.isfinite(score):
            raise ImageRejected("bad_record", "an outside score needs a detector's name and a finite number")


def _sane(candidate: Candidate) -> Candidate:
    """The candidate without what failed the check: only its name is worth remembering."""
    return replace(
        candidate, content=None, label=None, family=None, released=None, vector=None, outside_scores=(), generation={}
    )
