"""A linear head in two steps: Linear(d -> k), then Linear(k -> 1); k = 1 for a probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from daemon.errors import CorruptArtifact
from daemon.heads.head import Fired, HeadKind, Vectors, stored_blocks, stored_row
from daemon.heads.tensors import expect
from daemon.model import Profile, Subject

_ARRAYS = ("weights", "biases", "read_out", "offset")


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """The paper's head and its linear probe: no non-linearity, no groups (method section 1)."""

    kind: ClassVar[HeadKind] = "linear"

    weights: NDArray[np.float64]  # (k, d) of the units
    biases: NDArray[np.float64]  # (k,) of the units
    read_out: NDArray[np.float64]  # (k,) weight of each unit in the logit
    offset: NDArray[np.float64]  # (1,) of the logit

    @classmethod
    def probe(cls, weights: NDArray[np.float64], offset: float) -> LinearHead:
        """A head of one unit whose activation is the logit: weights float64 (d,)."""
        return cls(weights[None, :], np.array([offset]), np.ones(1), np.zeros(1))

    def standardised(self, centre: NDArray[np.float64], inverse_scale: NDArray[np.float64]) -> LinearHead:
        """This head, trained on (x - centre) * inverse_scale, as a head for x; both float64 (d,)."""
        weights = self.weights * inverse_scale
        return LinearHead(weights, self.biases - weights @ centre, self.read_out, self.offset)

    @property
    def dimension(self) -> int:
        """Number of features, d."""
        return int(self.weights.shape[1])

    @property
    def subjects(self) -> frozenset[Subject]:
        """Empty: the head knows no groups."""
        return frozenset()

    def activations(self, vectors: Vectors) -> NDArray[np.float64]:
        """The units' values, float64 (n, k)."""
        result = np.empty((len(vectors), len(self.weights)))
        for rows, stored in stored_blocks(vectors, self.dimension):
            result[rows] = stored @ self.weights.T + self.biases
        return result

    def scores(self, vectors: Vectors) -> NDArray[np.float64]:
        """The logits, float64 (n,): the higher, the more synthetic."""
        result: NDArray[np.float64] = self.activations(vectors) @ self.read_out + self.offset[0]
        return result

    def fired(self, vectors: Vectors, profile: Profile = "raw") -> tuple[Fired, ...]:
        """Nothing: the head knows no groups."""
        return (Fired(),) * sum(len(block) for _, block in stored_blocks(vectors, self.dimension))

    def local_direction(self, vector: Vectors) -> tuple[NDArray[np.float64], float]:
        """The one direction of the head; the same for every vector."""
        stored_row(vector, self.dimension)
        return self.weights.T @ self.read_out, float(self.biases @ self.read_out + self.offset[0])

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {array: getattr(self, array) for array in _ARRAYS}

    def to_json(self) -> dict[str, Any]:
        """Nothing beside the arrays."""
        return {}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> LinearHead:
        """The head that gave them, unchecked."""
        return cls(**{array: tensors[array] for array in _ARRAYS})

    def validate(self, name: str) -> None:
        """Raises CorruptArtifact when a shape, dtype or value is not usable."""
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            raise CorruptArtifact(f"version: {name} has no units")
        units, dimension = self.weights.shape
        shapes = {"weights": (units, dimension), "biases": (units,), "read_out": (units,), "offset": (1,)}
        for array, shape in shapes.items():
            expect(getattr(self, array), np.float64, shape, f"{name}.{array}")
