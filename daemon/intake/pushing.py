"""Pushing: somebody sends one sample over HTTP instead of waiting to be polled. What was acknowledged is stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from typing import Any

from daemon.context import Context
from daemon.errors import BadInputError, ImageRejected
from daemon.intake.reporting import check_key
from daemon.intake.taking_in import check_claims, examine
from daemon.intake.wire import as_sent
from daemon.model import PUSH, Candidate, Pushed

Fetch = Callable[[str], bytes]  # the bytes at an address; raises ImageRejected, TemporaryError


def push_sample(context: Context, offered: Candidate, url: str | None, key: str | None, fetch: Fetch) -> Pushed:
    """Take in one sample: a picture, one that lies at `url`, or the vector or outside scores of one.

    offered: its `uri` is made here: from `key`, else from everything that was said, so that the same again changes
    nothing. A repeat is answered from the store, nothing is fetched or decoded again.
    Raises BadInputError when the offer itself is malformed or its key stands for another one, TemporaryError when the
    address cannot be reached now or the day's limit is reached.
    """
    said = _digest(offered, url)
    if key is not None:
        check_key(key)
    uri = f"claim:{said}" if key is None else f"key:{key}"
    earlier = context.samples.pushed(uri, said)
    if earlier is not None:
        return earlier
    candidate = as_sent(replace(offered, uri=uri), context.settings.intake.max_bytes)
    if candidate.problem is not None and candidate.problem != "too_many_bytes":
        raise BadInputError(candidate.problem_detail)
    _check_vector(context, candidate)
    if url is not None:
        candidate = _fetched(candidate, url, fetch)
    admission = examine(candidate, context.inspector, context.settings.intake)
    settings, now = context.settings.push, context.clock.now()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    done = context.samples.push(admission, settings.trust, said, now, since=midnight, per_day=settings.per_day)
    _count(context, done)
    return done


def _fetched(candidate: Candidate, url: str, fetch: Fetch) -> Candidate:
    # What is claimed is checked first: nobody fetches for an offer that is refused anyway.
    try:
        check_claims(replace(candidate, content=b""))
        return replace(candidate, content=fetch(url))
    except ImageRejected as refused:
        return replace(candidate, problem=refused.reason, problem_detail=refused.detail)


def _check_vector(context: Context, candidate: Candidate) -> None:
    if candidate.vector is None:
        return
    encoder = context.encoder
    if candidate.vector_fingerprint != encoder.fingerprint:
        raise BadInputError(
            f"the vector is of the encoder {str(candidate.vector_fingerprint)[:12]}…, "
            f"in force is {encoder.fingerprint}: vectors of two encoders never meet"
        )
    if len(candidate.vector) != encoder.dimension:
        raise BadInputError(f"the vector has {len(candidate.vector)} numbers, the encoder's have {encoder.dimension}")


def _digest(offered: Candidate, url: str | None) -> str:
    """32 hexadecimal digits of everything that was said: the same offer has the same, another one another."""
    said: dict[str, Any] = {name: getattr(offered, name) for name in Candidate.__slots__}
    said |= {
        "content": None if offered.content is None else hashlib.sha256(offered.content).hexdigest(),
        "vector": None if offered.vector is None else offered.vector.tobytes().hex(),
        "generation": dict(offered.generation),
        "url": url,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _count(context: Context, done: Pushed) -> None:
    if done.repeated:
        return
    if done.outcome == "rejected":
        context.meter.rejected(PUSH, str(done.reason), 1)
    elif done.outcome == "stored":
        context.meter.sample_ingested(PUSH, 1)
    elif done.outcome == "quarantined":
        context.meter.quarantined(PUSH, str(done.reason), 1)
