"""Pictures, vectors of encoders, scores of versions; labelled samples read back in columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daemon.model import LabelledSamples, LabelledVectors, PendingSample, Profile


class VectorStore(Protocol):
    """Pictures, vectors of encoders, scores of versions; labelled samples read back in columns."""

    def without_vector(self, fingerprint: str, profile: Profile, limit: int) -> list[PendingSample]:
        """Active samples with a blob and without that vector, in order of (delivery time, sha256)."""
        ...

    def pictures_of(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """The sha256 of those of the samples that are active and whose picture is kept."""
        ...

    def has_picture(self, sha256: str) -> bool:
        """Whether there is such a sample, not forgotten, whose picture is kept."""
        ...

    def blob(self, sha256: str) -> bytes:
        """The picture's bytes, checked against the digest; CorruptArtifact otherwise."""
        ...

    def add_vectors(
        self, fingerprint: str, profile: Profile, sample_ids: Sequence[int], vectors: NDArray[np.float16]
    ) -> None:
        """Write one shard (tmp, fsync, rename) and register it and its rows in one transaction."""
        ...

    def unscored(self, fingerprint: str, limit: int, *, among: Sequence[int] | None = None) -> list[int]:
        """Ids of active samples with vectors of both profiles and no score by any own version, in canonical order.

        among: of these samples alone.
        """
        ...

    def vectors_of(self, fingerprint: str, profile: Profile, sample_ids: Sequence[int]) -> NDArray[np.float16]: ...
    def dimensions(self) -> dict[str, int]:
        """Encoder fingerprint -> how many numbers its vectors in the store have."""
        ...

    def learned_revisions(self, fingerprint: str, sample_ids: Sequence[int]) -> NDArray[np.int64]:
        """(n,) the first revision of that encoder's statistics that ever took each sample in; 0: none did.

        It stays when the sample is taken out or learned again: versions solved since then may know it, and whoever
        scores it by the head of its fold is right about all of them.
        """
        ...

    def add_scores(
        self,
        version: str,
        profile: Profile,
        sample_ids: Sequence[int],
        logits: NDArray[np.float64],
        learned: NDArray[np.bool_],
        at: datetime,
    ) -> None: ...

    def labelled_samples(self, fingerprint: str, *, last_per_subject: int | None = None) -> LabelledSamples:
        """The rows of `labelled_vectors`, which are the same under both profiles, without reading a vector."""
        ...

    def with_vectors(self, fingerprint: str, profile: Profile, samples: LabelledSamples) -> LabelledVectors:
        """The samples with their vectors; those whose vectors were deleted since they were read are left out."""
        ...

    def labelled_vectors(
        self, fingerprint: str, profile: Profile, *, last_per_subject: int | None = None
    ) -> LabelledVectors:
        """Active labelled samples that have vectors of both profiles; the newest N of each subject when asked."""
        ...
