"""Families and real sources as summaries of any of their numbers, from stored vectors or, without them, statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daemon.explain.concepts import ConceptSpace
from daemon.explain.effects import Summary, summarise, summarise_moments
from daemon.heads import forms
from daemon.heads.statistics import GroupStatistics
from daemon.model import LabelledVectors, Profile, Subject
from daemon.ports import SampleStore


class Pictures(Protocol):
    """The pictures of one subject under one profile."""

    @property
    def pictures(self) -> int: ...
    @property
    def groups(self) -> int: ...
    def features(self, columns: slice) -> Summary:
        """Of a block of columns."""
        ...

    def concepts(self, space: ConceptSpace) -> Summary:
        """Of the cosines with every concept."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FromVectors:
    """Pictures whose vectors are stored."""

    rows: LabelledVectors

    @property
    def pictures(self) -> int:
        return len(self.rows)

    @property
    def groups(self) -> int:
        return len(set(self.rows.groups))

    def features(self, columns: slice) -> Summary:
        return self.of(self.rows.vectors[:, columns].astype(np.float64))

    def concepts(self, space: ConceptSpace) -> Summary:
        return self.of(space.cosines(self.rows.vectors.astype(np.float64)))

    def of(self, values: NDArray[np.float64]) -> Summary:
        """Of other numbers of the same pictures, float64 (n, p)."""
        return summarise(values, self.rows.groups)


@dataclass(frozen=True, slots=True, eq=False)
class FromStatistics:
    """Pictures of which only group statistics are left."""

    statistics: GroupStatistics

    @property
    def pictures(self) -> int:
        return self.statistics.n

    @property
    def groups(self) -> int:
        return self.statistics.n  # which pictures belong together is not in the statistics

    def features(self, columns: slice) -> Summary:
        moments = self.statistics.moments()
        return summarise_moments(moments.count, moments.total[columns], moments.second[columns, columns])

    def concepts(self, space: ConceptSpace) -> Summary:
        """With the norm of the mean picture for that of each: moments know no cosines."""
        moments = self.statistics.moments()
        total, second = moments.total[space.columns], moments.second[space.columns, space.columns]
        norm = max(float(np.linalg.norm(total / moments.count @ space.projection)), 1e-6)
        directions = space.pooled_directions() / norm
        return summarise_moments(moments.count, total @ directions, directions.T @ second @ directions)


def read_subjects(
    samples: SampleStore, fingerprint: str, profile: Profile, last_per_subject: int
) -> dict[Subject, Pictures]:
    """Every family and real source of an encoder under one profile: its newest vectors, else its statistics."""
    stored = samples.labelled_vectors(fingerprint, profile, last_per_subject=last_per_subject)
    members: dict[Subject, list[int]] = {}
    for row, subject in enumerate(stored.subjects):
        members.setdefault(subject, []).append(row)
    found: dict[Subject, Pictures] = {
        subject: FromVectors(stored.take(rows)) for subject, rows in sorted(members.items())
    }
    for subject, statistics in _statistics(samples, fingerprint, profile).items():
        if subject not in found and statistics.n:
            found[subject] = FromStatistics(statistics)
    return found


def _statistics(samples: SampleStore, fingerprint: str, profile: Profile) -> Mapping[Subject, GroupStatistics]:
    files = samples.statistics(fingerprint)
    return {
        subject: forms.together(forms.from_bytes(content))
        for (subject, own), content in files.items()
        if own == profile
    }
