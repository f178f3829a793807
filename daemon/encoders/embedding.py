"""Embed: every active sample gets its vector under every profile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from daemon.context import Context
from daemon.errors import CorruptArtifact
from daemon.model import PROFILES, EncodingFailure, PendingSample, Profile
from daemon.ports import EncoderService

CHUNK = 128  # samples per shard: what a kill can make us do again


def embed(context: Context) -> int:
    """Encode what has no vector yet, oldest first; returns how many samples were encoded.

    A picture that the encoder cannot take is quarantined with the reason.
    """
    encoder = context.encoder  # another one may come into force meanwhile
    if encoder.name == "external":
        return 0  # vectors arrive with the deliveries
    waiting = context.samples.queue(encoder.fingerprint).get("embed", (0, None))[0]
    done = 0
    while pending := _pending(context, encoder.fingerprint):
        done += len(pending)
        for sample, failure in embed_chunk(context, encoder, pending):
            context.samples.quarantine(sample.sample_id, failure.reason, failure.detail, context.clock.now())
        context.progress("embed", done, max(waiting, done))
    return done


def _pending(context: Context, fingerprint: str) -> list[PendingSample]:
    """The oldest samples that lack a vector of some profile; lacking both is the rule."""
    for profile in PROFILES:
        pending = context.samples.without_vector(fingerprint, profile, CHUNK)
        if pending:
            return pending
    return []


def embed_chunk(
    context: Context, encoder: EncoderService, pending: Sequence[PendingSample]
) -> list[tuple[PendingSample, EncodingFailure]]:
    """Give these samples their vectors under every profile; returns those that have none, and why."""
    contents: list[bytes] = []
    readable: list[PendingSample] = []
    failed: list[tuple[PendingSample, EncodingFailure]] = []
    for sample in pending:
        try:
            contents.append(context.samples.blob(sample.sha256))
        except CorruptArtifact as error:
            failed.append((sample, EncodingFailure("corrupt", str(error))))
        else:
            readable.append(sample)
    good: list[int] = []
    vectors: dict[Profile, list[NDArray[np.float16]]] = {profile: [] for profile in PROFILES}
    for sample, result in zip(readable, encoder.encode_many(contents, PROFILES), strict=True):
        rows = result if isinstance(result, EncodingFailure) else _as_stored(result)
        if isinstance(rows, EncodingFailure):
            failed.append((sample, rows))
            continue
        good.append(sample.sample_id)
        for profile in PROFILES:
            vectors[profile].append(rows[profile])
    for profile in PROFILES:
        if good:
            context.samples.add_vectors(encoder.fingerprint, profile, good, np.stack(vectors[profile]))
    context.meter.pictures_encoded(len(good))
    return failed


def _as_stored(result: dict[Profile, NDArray[np.float32]]) -> dict[Profile, NDArray[np.float16]] | EncodingFailure:
    """Vectors as the store keeps them; a failure when one overflows float16."""
    with np.errstate(over="ignore"):  # an overflow shows as infinity in the next line
        rows = {profile: vector.astype(np.float16) for profile, vector in result.items()}
    finite = all(np.isfinite(row).all() for row in rows.values())
    return rows if finite else EncodingFailure("encoding_failed", "not finite")
