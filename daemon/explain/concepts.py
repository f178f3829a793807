"""Concepts as directions: what a pair of antonyms points at in the space that CLIP's pictures share with texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.errors import ConfigurationError
from daemon.explain.vocabulary import Concept

_LEAST_NORM = 1e-6


def concept_directions(positive: NDArray[np.float32], negative: NDArray[np.float32]) -> NDArray[np.float64]:
    """Unit direction from each negative pole to its positive one, float64 (m, e).

    The difference of the two unit text embeddings, normalised once more: what both prompts share ("a photo of")
    drops out.

    Parameters:
        positive, negative: float32 (m, e), rows of length 1, the embedded prompts.

    Raises:
        ConfigurationError: the poles of a pair are the same to the text encoder.

    Source: arXiv 2602.12381, concept model. The published files hold one unit row per pair, (168, 768), and their
    authors' scripts form it so.
    """
    difference = positive.astype(np.float64) - negative.astype(np.float64)
    norms = np.linalg.norm(difference, axis=1, keepdims=True)
    if len(norms) and norms.min() < _LEAST_NORM:
        pair = int(norms.argmin()) + 1
        raise ConfigurationError(
            f"explain.vocabulary: to the text encoder both poles of pair {pair} are the same (a prompt longer than "
            "its context is cut); say them in other words"
        )
    directions: NDArray[np.float64] = difference / norms
    return directions


@dataclass(frozen=True, slots=True, eq=False)
class ConceptSpace:
    """Concepts with the way from a stored vector to them."""

    concepts: tuple[Concept, ...]  # (m,)
    directions: NDArray[np.float64]  # (m, e), unit rows
    projection: NDArray[np.float64]  # (d, e) pooled feature -> embedding
    columns: slice  # of the stored vector: the pooled feature

    def cosines(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cosine of pictures and concepts, float64 (n, m).

        vectors: float64 (n, d), stored vectors.
        """
        embedded = vectors[:, self.columns] @ self.projection
        norms = np.maximum(np.linalg.norm(embedded, axis=1, keepdims=True), _LEAST_NORM)
        cosines: NDArray[np.float64] = (embedded / norms) @ self.directions.T
        return cosines

    def pooled_directions(self) -> NDArray[np.float64]:
        """The directions in the space of the pooled feature, float64 (d, m): not yet divided by a picture's norm."""
        return self.projection @ self.directions.T
