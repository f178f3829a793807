"""The paper's concept model on stored vectors: which named concepts speak for synthetic, and how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from daemon.errors import CorruptArtifact
from daemon.heads.head import Fired, HeadKind, Vectors, stored_blocks, stored_row
from daemon.heads.tensors import expect
from daemon.model import Profile, Subject

_ARRAYS = ("projection", "directions", "gate_weights", "gate_biases", "weights", "offset")
_LEAST_NORM = 1e-12  # below it an embedding is not divided by its norm, as torch does


@dataclass(frozen=True, slots=True, eq=False)
class ConceptHead:
    """logit = sum over concepts of weight * gate * cosine + offset (method section 1, "Concept model").

    The embedding is the stored pooled vector times `projection`, L2-normalised; the gate is the sigmoid of a linear
    map of it; the cosine is that between the embedding and the concept's direction.
    """

    kind: ClassVar[HeadKind] = "concept"

    projection: NDArray[np.float64]  # (d, e) pooled vector -> embedding
    directions: NDArray[np.float64]  # (m, e) of the concepts, unit length
    gate_weights: NDArray[np.float64]  # (m, e)
    gate_biases: NDArray[np.float64]  # (m,)
    weights: NDArray[np.float64]  # (m,) of the concepts in the logit
    offset: NDArray[np.float64]  # (1,) of the logit
    concepts: tuple[str, ...]  # (m,) names; empty: the file said none

    @property
    def dimension(self) -> int:
        """Number of features of the stored vector, d."""
        return int(self.projection.shape[0])

    @property
    def subjects(self) -> frozenset[Subject]:
        """Empty: the head knows no groups."""
        return frozenset()

    def activations(self, vectors: Vectors) -> NDArray[np.float64]:
        """gate * cosine of every concept, float64 (n, m)."""
        result = np.empty((len(vectors), len(self.directions)))
        for rows, stored in stored_blocks(vectors, self.dimension):
            embedding, _ = self._embedding(stored)
            result[rows] = self._gates(embedding) * (embedding @ self.directions.T)
        return result

    def contributions(self, vectors: Vectors) -> NDArray[np.float64]:
        """What every concept adds to the logit, float64 (n, m); with the offset they sum to the logit."""
        return self.activations(vectors) * self.weights

    def scores(self, vectors: Vectors) -> NDArray[np.float64]:
        """The logits, float64 (n,): the higher, the more synthetic."""
        result: NDArray[np.float64] = self.activations(vectors) @ self.weights + self.offset[0]
        return result

    def fired(self, vectors: Vectors, profile: Profile = "raw") -> tuple[Fired, ...]:
        """Nothing: the head knows no groups."""
        return (Fired(),) * sum(len(block) for _, block in stored_blocks(vectors, self.dimension))

    def local_direction(self, vector: Vectors) -> tuple[NDArray[np.float64], float]:
        """The direction with gates and norm held at their values for this vector.

        It says what the concepts that are switched on look at; how the gates would move is left out.
        """
        embedding, norm = self._embedding(stored_row(vector, self.dimension))
        gated = self.weights * self._gates(embedding)[0]
        return self.projection @ (gated @ self.directions) / float(norm[0, 0]), float(self.offset[0])

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {array: getattr(self, array) for array in _ARRAYS}

    def to_json(self) -> dict[str, Any]:
        """The concepts' names."""
        return {"concepts": list(self.concepts)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> ConceptHead:
        """The head that gave them, unchecked."""
        names = values["concepts"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("the concepts are not a list of names")
        return cls(**{array: tensors[array] for array in _ARRAYS}, concepts=tuple(names))

    def validate(self, name: str) -> None:
        """Raises CorruptArtifact when a shape, dtype or value is not usable."""
        if self.projection.ndim != 2 or self.directions.ndim != 2 or 0 in self.projection.shape:
            raise CorruptArtifact(f"version: {name} has no projection")
        dimension, embedding = self.projection.shape
        concepts = len(self.directions)
        if not concepts or len(self.concepts) not in (0, concepts):
            raise CorruptArtifact(f"version: {name} has {concepts} concepts and {len(self.concepts)} names")
        shapes = {
            "projection": (dimension, embedding),
            "directions": (concepts, embedding),
            "gate_weights": (concepts, embedding),
            "gate_biases": (concepts,),
            "weights": (concepts,),
            "offset": (1,),
        }
        for array, shape in shapes.items():
            expect(getattr(self, array), np.float64, shape, f"{name}.{array}")

    def _embedding(self, stored: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Normalised embeddings (n, e) and the norms they were divided by, (n, 1)."""
        projected = stored @ self.projection
        norms = np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), _LEAST_NORM)
        return projected / norms, norms

    def _gates(self, embedding: NDArray[np.float64]) -> NDArray[np.float64]:
        gates: NDArray[np.float64] = expit(embedding @ self.gate_weights.T + self.gate_biases)
        return gates
