"""How much of a family one source may bring, so that nobody who is merely known leads it where he wants; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from daemon.model import BatchKey, LabelledSamples


def over_cap(
    samples: LabelledSamples,
    batches: Mapping[int, BatchKey],
    known: Collection[str],
    most_pictures: int,
    most_share: float,
) -> dict[int, BatchKey]:
    """The samples that are not learned because their source brings too much of the family, with their batches.

    A known source may bring `most_pictures` of a family, and beyond that no more than its share. The first ones in
    canonical order are learned, so that nobody pushes out what was learned before; with every picture of the others
    there is room for more. Trusted sources have no cap. Neither have photographs: each real source is a group of its
    own, and weighs the same however many pictures it has.

    Parameters:
        samples: those that may be learned, in canonical order.
        batches: of all of them.
        known: names of the sources that are neither trusted nor untrusted.
        most_pictures: of a family that a known source may always bring.
        most_share: of the learned pictures of a family that a known source may bring beyond that, in (0, 1).

    Source: method section 6, point 3.
    """
    by_batch: dict[BatchKey, list[int]] = {}
    for sample, subject in zip(samples.sample_ids.tolist(), samples.subjects, strict=True):
        if subject.kind == "family":
            by_batch.setdefault(batches[sample], []).append(sample)
    sizes: dict[object, int] = {}
    for batch, own in by_batch.items():
        sizes[batch.subject] = sizes.get(batch.subject, 0) + len(own)
    over: dict[int, BatchKey] = {}
    for batch, own in by_batch.items():
        if batch.source in known:
            others = sizes[batch.subject] - len(own)
            room = max(most_pictures, int(others * most_share / (1.0 - most_share) + 1e-9))
            over.update(dict.fromkeys(own[room:], batch))
    return over
