"""Outside: how far from every known group a picture must be to be called unlike all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from daemon.cores import side_by_side
from daemon.heads.closed_form import ClosedFormHead
from daemon.model import LabelledVectors, Profile

LEVEL = 0.01  # share of pictures of known groups that may be called outside


def outside_limits(
    head: ClosedFormHead,
    fold_heads: Sequence[ClosedFormHead],
    rows: Mapping[Profile, LabelledVectors],
    revision: int,
) -> dict[Profile, float]:
    """The distance above which a picture is outside, per profile, from pictures of known groups.

    Each picture is measured by a head that has not learned it; those of groups that this head does not model say
    nothing. The limit is the ceil((m + 1)(1 - LEVEL))-th smallest distance (split conformal), so that a new picture of
    the known groups' mixture lies beyond it with a probability of at most LEVEL.

    Parameters:
        head, fold_heads: as in `held_out_scores`.
        rows: per profile, rows of both labels.
        revision: of the statistics that the heads were solved from.

    Returns:
        A limit for each profile with enough pictures (99 at LEVEL .01).

    Source: method section 4, "Verdicts".
    """
    profiles = sorted(rows)
    measured = side_by_side(lambda profile: np.sort(_held_out(head, fold_heads, rows[profile], revision)), profiles)
    limits: dict[Profile, float] = {}
    for profile, distances in zip(profiles, measured, strict=True):
        rank = math.ceil((len(distances) + 1) * (1.0 - LEVEL) - 1e-9)
        if rank <= len(distances):
            limits[profile] = float(distances[rank - 1])
    return limits


def _held_out(
    head: ClosedFormHead, fold_heads: Sequence[ClosedFormHead], rows: LabelledVectors, revision: int
) -> NDArray[np.float64]:
    learned = (rows.learned_revision > 0) & (rows.learned_revision <= revision)
    parts = []
    for own, chosen in [(head, ~learned), *((fold, learned & (rows.folds == f)) for f, fold in enumerate(fold_heads))]:
        known = own.subjects
        index = [i for i in np.flatnonzero(chosen) if rows.subjects[i] in known]
        parts.append(own.distances(rows.vectors[index]))
    return np.concatenate(parts)
