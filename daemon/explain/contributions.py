"""A logit taken apart into contributions that sum to it exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from daemon.explain.concepts import ConceptSpace
from daemon.explain.layout import FeatureGroup
from daemon.heads.head import Head

STEPS = 64  # of the way from the reference to the picture
RIDGE = 0.01  # of the regression on concepts: many of them say nearly the same


def path_direction(head: Head, vector: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """The head's local direction averaged over the straight way from the reference to the vector, float64 (d,).

    Its product with vector - reference is the difference of the two logits: exactly for a head of one direction, and
    but for the error of the average (a midpoint rule of STEPS steps) for the others. The direction at the vector
    alone would not do: next to one photo collection it tells that collection from its nearest family, which says
    nothing about how the picture differs from photographs.

    Parameters:
        vector, reference: float64 (d,).

    Source: integrated gradients, Sundararajan et al. 2017.
    """
    steps = (np.arange(STEPS) + 0.5) / STEPS
    directions = [head.local_direction(reference + step * (vector - reference))[0] for step in steps]
    mean: NDArray[np.float64] = np.mean(directions, axis=0)
    return mean


def group_contributions(
    weights: NDArray[np.float64],
    vector: NDArray[np.float64],
    reference: NDArray[np.float64],
    groups: Sequence[FeatureGroup],
) -> NDArray[np.float64]:
    """What each group of columns adds to weights . (vector - reference), float64 (len(groups),).

    Parameters:
        weights: float64 (d,), the head's direction.
        vector, reference: float64 (d,).
    """
    each = weights * (vector - reference)
    return np.array([each[group.columns].sum() for group in groups])


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """A direction written as concepts and a rest."""

    contributions: NDArray[np.float64]  # (m,)
    remainder: float  # what the rest adds
    explained: float  # share of the direction's variation over the background that the concepts follow, 0 to 1


def concept_contributions(
    weights: NDArray[np.float64],
    vector: NDArray[np.float64],
    reference: NDArray[np.float64],
    space: ConceptSpace,
    background: NDArray[np.float64],
) -> Projected:
    """What each concept adds to the CLIP part of weights . (vector - reference), and what no concept explains.

    The direction is regressed on the concepts' directions: those weights of the concepts with which their sum
    follows the direction best over the background pictures. It is a description of the head, not what it computes.

    Parameters:
        weights: float64 (d,), the head's direction.
        vector, reference: float64 (d,).
        space: the concepts; only its columns are read.
        background: float64 (n, d), pictures of all kinds; empty: every direction counts the same.
    """
    w, shift = weights[space.columns], (vector - reference)[space.columns]
    directions = space.pooled_directions()
    rows = background[:, space.columns]
    rows = rows - rows.mean(axis=0) if len(rows) > 1 else np.eye(len(w))
    target, seen = rows @ w, rows @ directions
    scale = np.sqrt(np.mean(seen**2, axis=0))
    scale = np.where(scale > 0.0, scale, 1.0)
    standard = seen / scale
    normal = standard.T @ standard / len(rows) + RIDGE * np.eye(len(scale))
    each = solve(normal, standard.T @ target / len(rows), assume_a="pos") / scale
    rest = w - directions @ each
    variation = float(target @ target)
    unexplained = float(np.sum((rows @ rest) ** 2)) / variation if variation > 0.0 else 0.0
    return Projected(each * (directions.T @ shift), float(rest @ shift), float(np.clip(1.0 - unexplained, 0.0, 1.0)))
