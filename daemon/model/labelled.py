"""Labelled samples as columns, with and without their vectors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from daemon.model.vocabulary import Split, Subject


@dataclass(frozen=True, slots=True)
class LabelledSamples:
    """Labelled, active samples that have vectors of both profiles, one row per sample, without the vectors.

    Rows are in canonical order: (delivery time, sha256). Which rows are wanted is decided here, before their vectors,
    which are a thousand times as large, are read.
    """

    sample_ids: NDArray[np.int64]  # (n,)
    synthetic: NDArray[np.bool_]  # (n,) True for synthetic
    subjects: tuple[Subject, ...]  # (n,) the family of a synthetic row, the source of a real row
    groups: tuple[str, ...]  # (n,) group key
    splits: tuple[Split, ...]  # (n,)
    folds: NDArray[np.int8]  # (n,) 0 .. FOLDS-1, by stable hash of the group key
    learned_revision: NDArray[np.int64]  # (n,) first statistics revision that ever took the row in; 0: never learned
    delivered_at: tuple[datetime, ...] = field(repr=False)  # (n,) UTC, aware

    def __len__(self) -> int:
        return len(self.sample_ids)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> LabelledSamples:
        """Only these rows, in the order given."""
        index = np.asarray(rows, dtype=np.intp)
        numbers = index.tolist()
        return LabelledSamples(
            self.sample_ids[index],
            self.synthetic[index],
            tuple(map(self.subjects.__getitem__, numbers)),
            tuple(map(self.groups.__getitem__, numbers)),
            tuple(map(self.splits.__getitem__, numbers)),
            self.folds[index],
            self.learned_revision[index],
            tuple(map(self.delivered_at.__getitem__, numbers)),
        )

    def without(self, samples: Collection[int]) -> LabelledSamples:
        """The rows of all other samples, in their order."""
        return self.take(self._others(samples)) if samples else self

    def _others(self, samples: Collection[int]) -> list[int]:
        return [i for i, sample in enumerate(self.sample_ids.tolist()) if sample not in samples]

    def with_vectors(self, vectors: NDArray[np.float16]) -> LabelledVectors:
        """The rows beside their vectors, (n, d)."""
        return LabelledVectors(
            self.sample_ids,
            self.synthetic,
            self.subjects,
            self.groups,
            self.splits,
            self.folds,
            self.learned_revision,
            self.delivered_at,
            vectors,
        )


@dataclass(frozen=True, slots=True)
class LabelledVectors(LabelledSamples):
    """Labelled, active samples with their vectors of one encoder and one profile."""

    vectors: NDArray[np.float16]  # (n, d)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> LabelledVectors:
        """Only these rows, in the order given."""
        index = np.asarray(rows, dtype=np.intp)
        return LabelledSamples.take(self, index).with_vectors(self.vectors[index])  # no `super` in a slotted dataclass

    def without(self, samples: Collection[int]) -> LabelledVectors:
        """The rows of all other samples, in their order."""
        return self.take(self._others(samples)) if samples else self
