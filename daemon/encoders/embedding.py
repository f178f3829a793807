"""Embed: every active sample gets its vector under every profile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daemon.context import Context
from daemon.errors import CorruptArtifact
from daemon.model import PROFILES, EncodingFailure, PendingSample, Profile

CHUNK = 128  # samples per shard: what a kill can make us do again


def embed(context: Context) -> int:
    """Encode what has no vector yet, oldest first; returns how many samples were encoded.

    A picture that the encoder cannot take is quarantined with the reason.
    """
    if context.encoder.name == "external":
        return 0  # vectors arrive with the deliveries
    waiting = context.samples.queue(context.encoder.fingerprint).get("embed", (0, None))[0]
    done = 0
    while pending := _pending(context):
        done += len(pending)
        _embed_chunk(context, pending)
        context.progress("embed", done, max(waiting, done))
    return done


def _pending(context: Context) -> list[PendingSample]:
    """The oldest samples that lack a vector of some profile; lacking both is the rule."""
    for profile in PROFILES:
        pending = context.samples.without_vector(context.encoder.fingerprint, profile, CHUNK)
        if pending:
            return pending
    return []


def _embed_chunk(context: Context, pending: list[PendingSample]) -> None:
    contents: list[bytes] = []
    readable: list[PendingSample] = []
    now = context.clock.now()
    for sample in pending:
        try:
            contents.append(context.samples.blob(sample.sha256))
        except CorruptArtifact as error:
            context.samples.quarantine(sample.sample_id, "corrupt", str(error), now)
        else:
            readable.append(sample)
    results = context.encoder.encode_many(contents, PROFILES)
    good: list[int] = []
    vectors: dict[Profile, list[NDArray[np.float16]]] = {profile: [] for profile in PROFILES}
    for sample, result in zip(readable, results, strict=True):
        rows = None if isinstance(result, EncodingFailure) else _as_stored(result)
        if rows is None:
            failure = (
                result if isinstance(result, EncodingFailure) else EncodingFailure("encoding_failed", "not finite")
            )
            context.samples.quarantine(sample.sample_id, failure.reason, failure.detail, now)
            continue
        good.append(sample.sample_id)
        for profile in PROFILES:
            vectors[profile].append(rows[profile])
    for profile in PROFILES:
        if good:
            context.samples.add_vectors(context.encoder.fingerprint, profile, good, np.stack(vectors[profile]))
    context.meter.pictures_encoded(len(good))


def _as_stored(result: dict[Profile, NDArray[np.float32]]) -> dict[Profile, NDArray[np.float16]] | None:
    """Vectors as the store keeps them; None when one overflows float16."""
    with np.errstate(over="ignore"):  # an overflow shows as infinity in the next line
        rows = {profile: vector.astype(np.float16) for profile, vector in result.items()}
    return rows if all(np.isfinite(row).all() for row in rows.values()) else None
