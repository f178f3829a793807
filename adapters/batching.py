"""Candidates to batches of bounded count and bytes; what several adapters need to read files safely."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from daemon.model import Batch, Candidate

BATCH_CANDIDATES = 64
BATCH_BYTES = 64 * 2**20  # a batch is closed once it holds this much: at most this and one picture
MAX_BYTES = 64 * 2**20  # default cap on one picture, so that a stray huge file cannot fill the memory
EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")


def batched(candidates: Iterable[Candidate], cursor: Callable[[], str], budget: int) -> Iterator[Batch]:
    """Group candidates into batches of at most 64 and about 64 MB, `budget` candidates at most in all.

    Args:
        candidates: in order of delivery; taken one at a time.
        cursor: gives the cursor behind the last candidate taken; called before the next one is taken.
        budget: number of candidates; nothing is taken when it is 0 or less.
    """
    if budget <= 0:
        return
    held: list[Candidate] = []
    size = 0
    for taken, candidate in enumerate(candidates, start=1):
        held.append(candidate)
        size += len(candidate.content or b"") + (0 if candidate.vector is None else candidate.vector.nbytes)
        if len(held) >= BATCH_CANDIDATES or size >= BATCH_BYTES or taken >= budget:
            yield Batch(tuple(held), cursor())
            held, size = [], 0
        if taken >= budget:
            return
    if held:
        yield Batch(tuple(held), cursor())


def refused(candidate: Candidate, problem: str, detail: str) -> Candidate:
    """Return the candidate without its bytes but with the reason, a word of REASONS."""
    return replace(candidate, problem=problem, problem_detail=detail)
