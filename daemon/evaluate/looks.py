"""What the newest pictures look like to a head: how correlated its units are, where scores lie, what is near."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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

CHAMPION: Final = "champion"
MARGINS: Final = (-8.0, -4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # logit less threshold
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


def margin_counts(margins: NDArray[np.float64]) -> tuple[int, ...]:
    """How many margins are at most each of MARGINS, and how many there are; cumulative, as Prometheus counts.

    margins: float64 (n,), logit less threshold.
    """
    return (*(int(np.sum(margins <= bound)) for bound in MARGINS), len(margins))


def nearest_families(activations: NDArray[np.float64], subjects: Sequence[Subject]) -> dict[str, tuple[str, float]]:
    """Family -> the family whose mean activations are nearest to its own, and their Euclidean distance.

    activations: float64 (n, k), decorrelated, so that no direction counts twice.
    """
    names = sorted({subject.name for subject in subjects if subject.kind == "family"})
    if len(names) < 2:
        return {}
    rows = {name: [i for i, s in enumerate(subjects) if s == Subject("family", name)] for name in names}
    means = np.array([activations[rows[name]].mean(axis=0) for name in names])
    squares = np.sum(means**2, axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * means @ means.T, 0.0))
    np.fill_diagonal(apart, np.inf)
    return {name: (names[int(np.argmin(row))], float(np.min(row))) for name, row in zip(names, apart, strict=True)}


@dataclass(frozen=True, slots=True)
class Looks:
    """What the newest pictures look like to the versions in force and under test; empty before the first champion."""

    penalties: Mapping[str, float] = field(default_factory=dict)  # role -> excess penalty of its head
    margins: Mapping[Subject, tuple[int, ...]] = field(default_factory=dict)  # by the champion; as `margin_counts`
    margin_sums: Mapping[Subject, float] = field(default_factory=dict)
    nearest: Mapping[str, tuple[str, float]] = field(default_factory=dict)  # as `nearest_families`, by the champion


@dataclass
class Looking:
    """Looks anew when figures were made anew; whoever asks in between gets what was seen."""

    _known: dict[str, tuple[tuple[str, datetime], Looks]] = field(default_factory=dict)

    def at(self, context: Context) -> Looks:
        """What there is to see now; a version without figures, or whose files are damaged, is left out."""
        champion = context.registry.champion()
        challenger = latest_challenger(context.registry, champion) if champion else None
        found = Looks()
        for role, record in {CHAMPION: champion, "challenger": challenger}.items():
            measured = context.samples.latest_evaluations(record.id) if record else []
            if record is None or not measured:
                continue
            key = (record.id, max(row.at for row in measured))
            if role not in self._known or self._known[role][0] != key:
                try:
                    self._known[role] = (key, _look(context, record.id, role))
                except CorruptArtifact:  # whoever scores with it says so
                    continue
            seen = self._known[role][1]
            found = replace(seen if role == CHAMPION else found, penalties={**found.penalties, **seen.penalties})
        return found


def _look(context: Context, version: str, role: str) -> Looks:
    loaded = load_version(context.registry, context.registry.version(version))
    rows = context.samples.labelled_vectors(loaded.record.fingerprint, "raw", last_per_subject=NEWEST)
    if not len(rows):
        return Looks()
    activations = loaded.artifact.head.activations(rows.vectors)
    penalties = {role: excess_penalty(activations, group_weights(rows.subjects))}
    if role != CHAMPION:
        return Looks(penalties)
    threshold = loaded.threshold("raw")
    of_subject: dict[Subject, list[int]] = {}
    for row, subject in enumerate(rows.subjects):
        of_subject.setdefault(subject, []).append(row)
    margins, sums = {}, {}
    if math.isfinite(threshold):  # an infinite one is infinitely far from everything
        scores = loaded.held_out(rows) - threshold
        margins = {subject: margin_counts(scores[numbers]) for subject, numbers in of_subject.items()}
        sums = {subject: float(np.sum(scores[numbers])) for subject, numbers in of_subject.items()}
    return Looks(penalties, margins, sums, nearest_families(activations, rows.subjects))
