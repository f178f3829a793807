"""A solved head: feature vector -> decorrelated activations -> logit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads import linear, mixture
from daemon.heads.settings import ReadOut
from daemon.heads.statistics import GroupKey
from daemon.model import Subject

Vectors = NDArray[np.float16] | NDArray[np.float32] | NDArray[np.float64]

_CHUNK = 4096  # rows converted to float64 at once


class Fired(NamedTuple):
    """What one vector resembles most: among the families, and among the real sources."""

    family: Subject
    source: Subject


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One immutable head, as solved from group statistics (method section 4)."""

    read_out: ReadOut
    tau: float
    keys: tuple[GroupKey, ...]  # (g,) the groups modelled
    centre: NDArray[np.float64]  # (d,) group-weighted mean of the features
    inverse_scale: NDArray[np.float64]  # (d,) 1 / group-weighted standard deviation; 0: feature ignored
    units: NDArray[np.float64]  # (d, k) standardised feature -> activation
    means: NDArray[np.float64]  # (g, k) mean activation of each group
    half_norms: NDArray[np.float64]  # (g,) half the squared norm of each mean, corrected if so set
    log_weights: NDArray[np.float64]  # (g,) natural log of the group weights

    @property
    def dimension(self) -> int:
        """Number of features, d."""
        return len(self.centre)

    @property
    def synthetic(self) -> NDArray[np.bool_]:
        """Which groups are families, (g,)."""
        return np.array([key.subject.kind == "family" for key in self.keys])

    def activations(self, vectors: Vectors) -> NDArray[np.float64]:
        """The decorrelated activations, float64 (n, k).

        Parameters:
            vectors: float16, float32 or float64 (n, d); rounded to float16 first, as the store keeps them, so
                that a stored vector and a fresh one score alike.

        Raises:
            BadInputError: a wrong dimension, or a value that is not finite as float16.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise BadInputError(f"the head takes rows of {self.dimension} features, not {vectors.shape}")
        result = np.empty((len(vectors), self.units.shape[1]))
        for start in range(0, len(vectors), _CHUNK):
            with np.errstate(over="ignore"):  # an overflow becomes inf and is refused in the next line
                stored = vectors[start : start + _CHUNK].astype(np.float16)
            if not np.isfinite(stored).all():
                raise BadInputError("a vector is not finite as float16 and cannot be scored")
            standardised = (stored.astype(np.float64) - self.centre) * self.inverse_scale
            result[start : start + _CHUNK] = standardised @ self.units
        return result

    def scores(self, vectors: Vectors) -> NDArray[np.float64]:
        """The logits, float64 (n,): the higher, the more synthetic; parameters as in `activations`."""
        activations = self.activations(vectors)
        if self.read_out == "linear":
            return linear.logits(activations, self.means, self.log_weights, self.synthetic)
        return mixture.logits(self._affinities(activations), self.synthetic)

    def fired(self, vectors: Vectors) -> tuple[Fired, ...]:
        """The family and the real source each vector resembles most; parameters as in `activations`."""
        return tuple(self._fired(self._affinities(self.activations(vectors))))

    def _affinities(self, activations: NDArray[np.float64]) -> NDArray[np.float64]:
        return mixture.affinities(activations, self.means, self.half_norms, self.log_weights, self.tau)

    def _fired(self, affinities: NDArray[np.float64]) -> Iterator[Fired]:
        families, sources = mixture.nearest(affinities, self.synthetic)
        for family, source in zip(families, sources, strict=True):
            yield Fired(self.keys[family].subject, self.keys[source].subject)
