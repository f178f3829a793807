"""Scores: how the champion places a family's pictures among the real ones, and which are at the ends."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.detail.views import FamilyScoresView, HistogramView, NeighbourView, PictureView
from daemon.evaluate.material import comparable_vectors
from daemon.model import Profile, Subject

PROFILE: Profile = "raw"
BINS = 36
ENDS = 6  # pictures shown at each end
_TRIM = 0.5  # percent of the scores at each end that the histogram's range may leave to its last bins
_NEIGHBOURS = 5


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """The champion's logits of the newest pictures of every subject, each by a head that has not learned it."""

    champion: LoadedVersion
    logits: dict[Subject, NDArray[np.float64]]
    sample_ids: dict[Subject, NDArray[np.int64]]

    @property
    def reals(self) -> NDArray[np.float64]:
        """The logits of all real pictures, float64 (m,)."""
        found = [values for subject, values in self.logits.items() if subject.kind == "source"]
        return np.concatenate(found) if found else np.zeros(0)


def make_sheet(context: Context, champion: LoadedVersion) -> ScoreSheet:
    """Score what figures are made from; the vectors themselves are let go again."""
    rows = comparable_vectors(context, champion.record.fingerprint, PROFILE)
    logits = champion.held_out(rows) if len(rows) else np.zeros(0)
    found: dict[Subject, list[int]] = {}
    for row, subject in enumerate(rows.subjects):
        found.setdefault(subject, []).append(row)
    return ScoreSheet(
        champion,
        {subject: logits[numbers] for subject, numbers in found.items()},
        {subject: rows.sample_ids[numbers] for subject, numbers in found.items()},
    )


def family_scores(context: Context, sheet: ScoreSheet, name: str) -> FamilyScoresView:
    """What the sheet says of one family; a family without vectors has no histogram and no pictures."""
    family = Subject("family", name)
    champion = sheet.champion
    threshold = champion.threshold(PROFILE)
    logits = sheet.logits.get(family, np.zeros(0))
    order = np.argsort(logits, kind="stable")
    ids = sheet.sample_ids.get(family, np.zeros(0, np.int64))[order].tolist()
    ranked = list(zip(ids, logits[order].tolist(), strict=True))
    least, most = ranked[:ENDS], [*reversed(ranked[ENDS:][-ENDS:])]
    digests = context.samples.pictures_of([sample for sample, _ in [*least, *most]])
    least_shown, most_shown = (
        [PictureView(sha256=digests[sample], logit=logit) for sample, logit in end if sample in digests]
        for end in (least, most)
    )
    return FamilyScoresView(
        family=name,
        version=champion.record.id,
        threshold=threshold if math.isfinite(threshold) else None,
        histogram=histogram(logits, sheet.reals),
        most_synthetic=most_shown,
        least_synthetic=least_shown,
        neighbours=_neighbours(context, champion, family, ids),
    )


def histogram(family: NDArray[np.float64], reals: NDArray[np.float64], bins: int = BINS) -> HistogramView | None:
    """Shares per bin of two samples of logits on one scale; None when either is empty.

    Scores beyond the range count in its first and last bin, so shares add up to 1.

    >>> view = histogram(np.array([3.0, 4.0]), np.array([0.0, 1.0]), bins=4)
    >>> view.edges, view.family, view.reals
    ([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 1.0], [0.5, 0.5, 0.0, 0.0])
    """
    if not family.size or not reals.size:
        return None
    together = np.concatenate([family, reals])
    low, high = (
        np.percentile(together, [_TRIM, 100 - _TRIM]) if together.size > 200 else (together.min(), together.max())
    )
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)

    def shares(values: NDArray[np.float64]) -> list[float]:
        counts, _ = np.histogram(np.clip(values, low, high), edges)
        return [float(count) for count in counts / values.size]

    return HistogramView(
        edges=edges.tolist(),
        family=shares(family),
        reals=shares(reals),
        pictures=int(family.size),
        real_pictures=int(reals.size),
    )


def _neighbours(
    context: Context, champion: LoadedVersion, family: Subject, sample_ids: list[int]
) -> list[NeighbourView]:
    if not sample_ids:
        return []
    vectors = context.samples.vectors_of(champion.record.fingerprint, PROFILE, sample_ids)
    fired = champion.artifact.head.fired(vectors, PROFILE)
    names = Counter(champion.present(one.family.name) for one in fired if one.family is not None)
    names.pop(family.name, None)
    return [
        NeighbourView(family=name, pictures=count, share=count / len(sample_ids))
        for name, count in names.most_common(_NEIGHBOURS)
    ]
