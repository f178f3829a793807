"""What every head offers: feature vector -> activations -> logit, and what it knows about a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.model import Profile, Subject

Vectors = NDArray[np.float16] | NDArray[np.float32] | NDArray[np.float64]
HeadKind = Literal["closed_form", "linear", "concept"]

_CHUNK = 1024  # rows converted to float64 at once: few enough that memory is used again instead of asked for anew


class Fired(NamedTuple):
    """What one vector resembles most: among the families, and among the real sources."""

    family: Subject | None = None  # None: the head knows no groups
    source: Subject | None = None
    outside: bool | None = None  # unlike every known group; None: the head cannot tell


class Head(Protocol):
    """One immutable head.

    Vectors are float16, float32 or float64 (n, d). They are rounded to float16 first, as the store keeps them, so that
    a stored vector and a fresh one score alike. Methods that take vectors raise BadInputError on a wrong dimension
    or a value that is not finite as float16.
    """

    kind: ClassVar[HeadKind]

    @property
    def dimension(self) -> int:
        """Number of features, d."""
        ...

    @property
    def subjects(self) -> frozenset[Subject]:
        """The families and real sources that the head models; empty where it knows no groups."""
        ...

    def activations(self, vectors: Vectors) -> NDArray[np.float64]:
        """The values that the logit is read from, float64 (n, k)."""
        ...

    def scores(self, vectors: Vectors) -> NDArray[np.float64]:
        """The logits, float64 (n,): the higher, the more synthetic."""
        ...

    def fired(self, vectors: Vectors, profile: Profile = "raw") -> tuple[Fired, ...]:
        """What each vector resembles most; `profile` is that of the vectors."""
        ...

    def local_direction(self, vector: Vectors) -> tuple[NDArray[np.float64], float]:
        """Weights float64 (d,) and an offset with logit = weights . x + offset for this one vector, (d,).

        x is the vector rounded to float16. Which of the many such pairs it is says each head.
        """
        ...

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The head's arrays by name."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The rest of the head, as JSON values."""
        ...

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> Self:
        """The head that gave `to_tensors` and `to_json`, unchecked.

        Raises KeyError, TypeError or ValueError when they do not fit together.
        """
        ...

    def validate(self, name: str) -> None:
        """Raises CorruptArtifact, naming the head `name`, when a shape, dtype or value is not usable."""
        ...


def stored_blocks(vectors: Vectors, dimension: int) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """The vectors as the store would keep them, block by block: (rows, float64 (m, d) of float16-rounded values).

    A block is the caller's, to change as he likes.

    Raises:
        BadInputError: a wrong dimension, or a value that is not finite as float16.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise BadInputError(f"the head takes rows of {dimension} features, not {vectors.shape}")
    for start in range(0, len(vectors), _CHUNK):
        rows = slice(start, min(start + _CHUNK, len(vectors)))
        with np.errstate(over="ignore"):  # an overflow becomes inf and is refused in the next line
            stored = vectors[rows].astype(np.float16, copy=False)
        if not np.isfinite(stored).all():
            raise BadInputError("a vector is not finite as float16 and cannot be scored")
        yield rows, stored.astype(np.float64)


def stored_row(vector: Vectors, dimension: int) -> NDArray[np.float64]:
    """One vector (d,) as the store would keep it, float64 (1, d); raises as `stored_blocks`."""
    (_, block), *_ = stored_blocks(vector[None, :] if vector.ndim == 1 else vector, dimension)
    return block
