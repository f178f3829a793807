"""Features brought to mean 0 and variance 1 before a training, and the head's weights brought back after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.heads.linear_head import LinearHead

# A feature whose variance is below this share of its mean square does not vary, as in the closed-form solve.
_INERT = 1e-13
_CHUNK = 4096  # rows converted to float64 at once


@dataclass(frozen=True, slots=True, eq=False)
class Standardisation:
    """(x - centre) * inverse_scale; it belongs to the head, not to the encoder's fingerprint."""

    centre: NDArray[np.float64]  # (d,)
    inverse_scale: NDArray[np.float64]  # (d,) 0: the feature does not vary and is ignored

    @classmethod
    def of(cls, vectors: NDArray[np.float16], wanted: bool, chosen: NDArray[np.intp] | None = None) -> Standardisation:
        """That of the rows float16 (n, d), or of the chosen ones alone; the identity when it is not wanted."""
        dimension = vectors.shape[1]
        rows = len(vectors) if chosen is None else len(chosen)
        if not wanted:
            return cls(np.zeros(dimension), np.ones(dimension))
        total, squares = np.zeros(dimension), np.zeros(dimension)
        for start in range(0, rows, _CHUNK):
            part = slice(start, start + _CHUNK)
            block = vectors[part if chosen is None else chosen[part]].astype(np.float64)
            total += block.sum(axis=0)
            squares += (block**2).sum(axis=0)
        centre, mean_square = total / rows, squares / rows
        variance = mean_square - centre**2
        varies = variance > _INERT * mean_square
        return cls(centre, np.where(varies, 1.0 / np.sqrt(np.where(varies, variance, 1.0)), 0.0))

    def apply(self, vectors: NDArray[np.float16]) -> NDArray[np.float64]:
        """The standardised rows, float64 (n, d)."""
        return (vectors.astype(np.float64) - self.centre) * self.inverse_scale

    def unfold(self, head: LinearHead) -> LinearHead:
        """A head trained on standardised rows as one for rows as they are stored."""
        return head.standardised(self.centre, self.inverse_scale)
