"""Score: prequential, every sample is scored by the champion of its time before any head may learn from it."""

from __future__ import annotations

from daemon.context import Context
from daemon.model import PROFILES

CHUNK = 4096


def score(context: Context) -> int:
    """Score what has vectors and was never scored, in canonical order; returns how many samples."""
    champion = context.champion.get()
    if champion is None:
        return 0
    fingerprint = champion.record.fingerprint
    done = 0
    while ids := context.samples.unscored(fingerprint, CHUNK):
        learned = champion.learned(context.samples.learned_revisions(fingerprint, ids))
        now = context.clock.now()
        for profile in reversed(PROFILES):  # raw last: its row is what marks the sample as scored
            vectors = context.samples.vectors_of(fingerprint, profile, ids)
            logits = champion.artifact.head.scores(vectors)
            context.samples.add_scores(champion.record.id, profile, ids, logits, learned, now)
        done += len(ids)
    return done
