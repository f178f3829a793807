"""How far a head's activations are from uncorrelated on the newest pictures: the paper's penalty, less chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.champion import load_version
from daemon.context import Context
from daemon.errors import CorruptArtifact
from daemon.figures import latest_challenger
from daemon.heads import decorrelation_penalty
from daemon.model import Subject

NEWEST: Final = 100  # pictures of each family and real source: the rolling window


def group_weights(subjects: Sequence[Subject]) -> NDArray[np.float64]:
    """A weight for every row, float64 (n,): families and real sources half each, equal inside; their sum is 1.

    >>> group_weights([Subject("family", "a"), Subject("source", "x"), Subject("source", "x")])
    array([0.5 , 0.25, 0.25])
    """
    rows = Counter(subjects)
    groups = Counter(subject.kind for subject in rows)
    return np.array([1.0 / (len(groups) * groups[s.kind] * rows[s]) for s in subjects])


def excess_penalty(activations: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """||I - G||_F of the weighted activations less what uncorrelated ones give at that many rows.

    activations: float64 (n, k). weights: float64 (n,), sum 1. Around 0 for a decorrelated head, and below it by chance.
    An entry of G off the diagonal has variance sum(w^2) when the two activations are independent.

    Source: method section 3, "Units".
    """
    k = activations.shape[1]
    penalty = decorrelation_penalty(activations * np.sqrt(weights)[:, None])
    return penalty - math.sqrt(k * (k - 1) * float(np.sum(weights**2)))


@dataclass
class Penalties:
    """The penalty of each role, computed anew when its figures were."""

    _known: dict[str, tuple[tuple[str, datetime], float]] = field(default_factory=dict)

    def of_roles(self, context: Context) -> dict[str, float]:
        """Role -> penalty of its head; none for a version without figures or whose files are damaged."""
        champion = context.registry.champion()
        challenger = latest_challenger(context.registry, champion) if champion else None
        roles = {"champion": champion, "challenger": challenger}
        found = {}
        for role, record in roles.items():
            measured = context.samples.latest_evaluations(record.id) if record else []
            if record is None or not measured:
                continue
            key = (record.id, max(row.at for row in measured))
            if self._known.get(role, (None, 0.0))[0] != key:
                try:
                    penalty = self._compute(context, record.id)
                except CorruptArtifact:  # whoever scores with it says so
                    continue
                if penalty is None:
                    continue
                self._known[role] = (key, penalty)
            found[role] = self._known[role][1]
        return found

    @staticmethod
    def _compute(context: Context, version: str) -> float | None:
        loaded = load_version(context.registry, context.registry.version(version))
        rows = context.samples.labelled_vectors(loaded.record.fingerprint, "raw", last_per_subject=NEWEST)
        if not len(rows):
            return None
        return excess_penalty(loaded.artifact.head.activations(rows.vectors), group_weights(rows.subjects))
