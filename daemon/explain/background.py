"""The pictures that an explanation is counted from: the stored reals, and a few of everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.model import Profile, Subject
from daemon.ports import SampleStore

_PER_SUBJECT = 100
_PROFILE: Profile = "raw"  # a picture to explain is encoded as it is


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Where contributions start, and over what a direction's variation is judged."""

    reference: NDArray[np.float64]  # (d,) mean of the real sources' means
    rows: NDArray[np.float64]  # (n, d) newest pictures of every family and source
    sources: int
    pictures: int  # real ones behind the reference

    @property
    def words(self) -> str:
        """What the reference is, for people."""
        if not self.sources:
            return "the zero vector, for there are no real pictures in the store"
        return f"the mean of {self.sources} real sources ({self.pictures} pictures)"


def read_background(samples: SampleStore, fingerprint: str, dimension: int) -> Background:
    """The background of an encoder's vectors in the store."""
    stored = samples.labelled_vectors(fingerprint, _PROFILE, last_per_subject=_PER_SUBJECT)
    rows = stored.vectors.astype(np.float64).reshape(-1, dimension)
    members: dict[Subject, list[int]] = {}
    for row, subject in enumerate(stored.subjects):
        if subject.kind == "source":
            members.setdefault(subject, []).append(row)
    if not members:
        return Background(np.zeros(dimension), rows, 0, 0)
    means = np.stack([rows[indices].mean(axis=0) for indices in members.values()])
    return Background(means.mean(axis=0), rows, len(members), sum(map(len, members.values())))
