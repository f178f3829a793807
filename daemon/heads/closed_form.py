"""A head as solved from group statistics, with read-out `mixture` or `linear`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import softmax

from daemon.errors import CorruptArtifact
from daemon.heads import linear, mixture
from daemon.heads.head import Fired, HeadKind, Vectors, stored_blocks, stored_row
from daemon.heads.settings import ReadOut
from daemon.heads.statistics import GroupKey
from daemon.heads.tensors import expect
from daemon.model import PROFILES, Profile, Subject

_ARRAYS = ("centre", "inverse_scale", "units", "means", "half_norms", "log_weights")


@dataclass(frozen=True, slots=True, eq=False)
class ClosedFormHead:
    """Decorrelated units and the groups' means in them (method section 4)."""

    kind: ClassVar[HeadKind] = "closed_form"

    read_out: ReadOut
    tau: float  # sharpness of the families
    source_tau: float  # sharpness of the real sources
    keys: tuple[GroupKey, ...]  # (g,) the groups modelled
    centre: NDArray[np.float64]  # (d,) group-weighted mean of the features
    inverse_scale: NDArray[np.float64]  # (d,) 1 / group-weighted standard deviation; 0: feature ignored
    units: NDArray[np.float64]  # (d, k) standardised feature -> activation
    means: NDArray[np.float64]  # (g, k) mean activation of each group
    half_norms: NDArray[np.float64]  # (g,) half the squared norm of each mean, corrected if so set
    log_weights: NDArray[np.float64]  # (g,) natural log of the group weights
    # profile -> the distance beyond which a vector is unlike every group; absent: the head cannot tell
    limits: Mapping[Profile, float] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        """Number of features, d."""
        return len(self.centre)

    @property
    def subjects(self) -> frozenset[Subject]:
        """The families and real sources modelled."""
        return frozenset(key.subject for key in self.keys)

    @property
    def synthetic(self) -> NDArray[np.bool_]:
        """Which groups are families, (g,)."""
        return np.array([key.subject.kind == "family" for key in self.keys])

    def activations(self, vectors: Vectors) -> NDArray[np.float64]:
        """The decorrelated activations, float64 (n, k)."""
        result = np.empty((len(vectors), self.units.shape[1]))
        for rows, stored in stored_blocks(vectors, self.dimension):
            stored -= self.centre
            stored *= self.inverse_scale
            np.matmul(stored, self.units, out=result[rows])
        return result

    def scores(self, vectors: Vectors) -> NDArray[np.float64]:
        """The logits, float64 (n,): the higher, the more synthetic."""
        activations = self.activations(vectors)
        if self.read_out == "linear":
            return linear.logits(activations, self.means, self.log_weights, self.synthetic)
        softness = self.tau / self.source_tau
        return mixture.logits(self._affinities(activations), self.synthetic, self.log_weights, softness)

    def distances(self, vectors: Vectors) -> NDArray[np.float64]:
        """Squared distance to the nearest group's mean over the units, float64 (n,).

        Within a group the units have variance 1 and are uncorrelated, so this is Mahalanobis' distance in the space
        that tells the groups apart. The rest of the whitened space, which is the larger part, is left out: measured, it
        adds noise and no sight.
        """
        return self._distances(self.activations(vectors))

    def fired(self, vectors: Vectors, profile: Profile = "raw") -> tuple[Fired, ...]:
        """The family and the real source each vector resembles most, and whether it is like none of them."""
        activations = self.activations(vectors)
        families, sources = mixture.nearest(self._affinities(activations), self.synthetic)
        limit = self.limits.get(profile)
        outside = [None] * len(families) if limit is None else (self._distances(activations) > limit).tolist()
        return tuple(
            Fired(self.keys[family].subject, self.keys[source].subject, beyond)
            for family, source, beyond in zip(families, sources, outside, strict=True)
        )

    def local_direction(self, vector: Vectors) -> tuple[NDArray[np.float64], float]:
        """Read-out `linear`: its one direction. `mixture`: the logit's gradient at the vector.

        That gradient is the difference of the groups' means, weighted by how much each group fires: families
        against real sources. The offset takes up the rest, so that the sum is the logit.
        """
        row = stored_row(vector, self.dimension)
        if self.read_out == "linear":
            direction = linear.direction(self.means, self.log_weights, self.synthetic)
        else:
            affinities = self._affinities(self.activations(row))[0]
            synthetic = self.synthetic
            families, sources = softmax(affinities[synthetic]), softmax(affinities[~synthetic])
            direction = self.tau * (families @ self.means[synthetic] - sources @ self.means[~synthetic])
        weights = self.inverse_scale * (self.units @ direction)
        return weights, float(self.scores(row)[0] - row[0] @ weights)

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {array: getattr(self, array) for array in _ARRAYS}

    def to_json(self) -> dict[str, Any]:
        """Read-out, groups and limits."""
        groups = [[*key.subject, key.profile, *([key.form] if key.form else [])] for key in self.keys]
        sharpness = {"tau": self.tau, "source_tau": self.source_tau}
        return {"read_out": self.read_out, **sharpness, "groups": groups, "limits": dict(self.limits)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> ClosedFormHead:
        """The head that gave them, unchecked."""
        return cls(
            read_out=values["read_out"],
            tau=float(values["tau"]),
            source_tau=float(values.get("source_tau", values["tau"])),  # older versions have one for both sides
            keys=tuple(
                GroupKey(Subject(kind, name), profile, *form) for kind, name, profile, *form in values["groups"]
            ),
            limits={profile: float(limit) for profile, limit in values.get("limits", {}).items()},
            **{array: tensors[array] for array in _ARRAYS},
        )

    def validate(self, name: str) -> None:
        """Raises CorruptArtifact when a shape, dtype or value is not usable."""
        groups, dimension = len(self.keys), len(self.centre)
        units = self.units.shape[1] if self.units.ndim == 2 else 0
        if units < 1 or dimension < 1:
            raise CorruptArtifact(f"version: {name} has no units")
        shapes = {
            "centre": (dimension,),
            "inverse_scale": (dimension,),
            "units": (dimension, units),
            "means": (groups, units),
            "half_norms": (groups,),
            "log_weights": (groups,),
        }
        for array, shape in shapes.items():
            expect(getattr(self, array), np.float64, shape, f"{name}.{array}")
        sharp = all(0.0 < tau < np.inf for tau in (self.tau, self.source_tau))
        if self.read_out not in ("mixture", "linear") or not sharp:
            raise CorruptArtifact(f"version: {name} has an unknown read-out")
        kinds = {key.subject.kind for key in self.keys}
        if kinds != {"family", "source"} or tuple(sorted(set(self.keys))) != self.keys:
            raise CorruptArtifact(f"version: {name} does not list families and real sources in order")
        if not {key.profile for key in self.keys} <= set(PROFILES):
            raise CorruptArtifact(f"version: {name} has a group of an unknown profile")
        if not set(self.limits) <= set(PROFILES) or not all(0.0 < limit < np.inf for limit in self.limits.values()):
            raise CorruptArtifact(f"version: {name} has a limit that is no distance, or of an unknown profile")

    def _distances(self, activations: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = cdist(activations, self.means, "sqeuclidean").min(axis=1)
        return result

    def _affinities(self, activations: NDArray[np.float64]) -> NDArray[np.float64]:
        tau = np.where(self.synthetic, self.tau, self.source_tau)
        return mixture.affinities(activations, self.means, self.half_norms, self.log_weights, tau)
