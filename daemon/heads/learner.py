"""From statistics to a version in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.errors import BadInputError
from daemon.heads.artifact import ANCHORS, Anchors, VersionArtifact
from daemon.heads.calibration import fit_platt
from daemon.heads.crossfit import fold_heads, held_out_scores
from daemon.heads.head import Head
from daemon.heads.pooling import Pooled, pool_statistics
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import solve_pooled
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.heads.threshold import (
    Threshold,
    conformal_threshold,
    left_out_source_thresholds,
)
from daemon.model import LabelledVectors, Profile

# The splits whose real rows may place a threshold: the holdout and the reference pool stay unseen.
_THRESHOLD_SPLITS = ("train", "calibration")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version comes from; written into its manifest."""

    encoder_fingerprint: str
    learner: str  # what asked for it: "update", "retrain", "recalibrate", ...
    code_version: str
    statistics_revision: int
    statistics_digests: Mapping[GroupKey, str]  # sha256 (hex) of each group's statistics
    parent: str | None = None  # version it was learned from; None: the first


def fit_version(
    statistics: Mapping[GroupKey, GroupStatistics],
    reals: Mapping[Profile, LabelledVectors],
    calibration: Mapping[Profile, LabelledVectors],
    settings: HeadSettings,
    alpha: float,
    origin: Origin,
    *,
    cap: int = 500,
) -> VersionArtifact:
    """Solve a head and everything a version needs around it.

    Parameters:
        statistics: all groups the version learns from.
        reals: per profile, rows for the left-out-source threshold; only real rows of the train and
            calibration splits are used.
        calibration: per profile, rows of both labels for Platt scaling and, with few real sources, the
            conformal threshold; only rows of the calibration split are used. Rows that
            the statistics hold (by `learned_revision`) are scored by the head of their fold.
        alpha: false-positive rate of the thresholds.
        cap: most rows per real source and profile scored for the threshold.

    Returns:
        The version, with a threshold for every profile in `reals`.

    Raises:
        BadInputError: there is no family or no real source to learn from, or `reals` is empty.
    """
    if not reals:
        raise BadInputError("a version needs real pictures of at least one profile to place its threshold")
    pooled = pool_statistics(statistics, settings.min_group)
    head = solve_pooled(pooled, settings)
    folds = fold_heads(statistics, settings)
    usable = {profile: _of_splits(rows, _THRESHOLD_SPLITS) for profile, rows in reals.items()}
    held_out = {
        profile: _HeldOut.of(head, folds, _of_splits(rows, ("calibration",)), origin.statistics_revision)
        for profile, rows in calibration.items()
    }
    thresholds = left_out_source_thresholds(pooled, statistics, usable, settings, alpha, cap=cap)
    for profile in reals:
        if profile not in thresholds:
            thresholds[profile] = _conformal(held_out.get(profile), alpha)
    parts = list(held_out.values())
    return VersionArtifact(
        head=head,
        fold_heads=folds,
        thresholds={profile: thresholds[profile] for profile in sorted(thresholds)},
        calibration=fit_platt(
            np.concatenate([part.scores for part in parts] or [np.zeros(0)]),
            np.concatenate([part.rows.synthetic for part in parts] or [np.zeros(0, np.bool_)]),
        ),
        anchors=_anchors(head, pooled),
        about=_about(statistics, pooled, settings, origin),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _HeldOut:
    rows: LabelledVectors
    scores: NDArray[np.float64]  # (n,) held-out logits

    @classmethod
    def of(cls, head: Head, folds: tuple[Head, ...], rows: LabelledVectors, revision: int) -> _HeldOut:
        learned = (rows.learned_revision > 0) & (rows.learned_revision <= revision)
        return cls(rows, held_out_scores(head, folds, rows.vectors, rows.folds, learned))


def _conformal(held_out: _HeldOut | None, alpha: float) -> Threshold:
    if held_out is None:
        return conformal_threshold(np.zeros(0), (), alpha)
    real = np.flatnonzero(~held_out.rows.synthetic)
    return conformal_threshold(held_out.scores[real], [held_out.rows.subjects[i] for i in real], alpha)


def _of_splits(rows: LabelledVectors, splits: tuple[str, ...]) -> LabelledVectors:
    return rows.take([i for i, split in enumerate(rows.splits) if split in splits])


def _anchors(head: Head, pooled: Pooled) -> Anchors:
    """Anchor vectors at the group means, at most ANCHORS of them, evenly over the groups.

    Means, not pictures: a version is kept for ever, a picture may have to be forgotten.
    """
    count = min(ANCHORS, len(pooled.keys))
    vectors = pooled.means[np.arange(count) * len(pooled.keys) // count].astype(np.float16)
    return Anchors(vectors, head.scores(vectors))


def _about(
    statistics: Mapping[GroupKey, GroupStatistics], pooled: Pooled, settings: HeadSettings, origin: Origin
) -> dict[str, object]:
    modelled = set(pooled.keys)
    return {
        "encoder_fingerprint": origin.encoder_fingerprint,
        "parent": origin.parent,
        "learner": origin.learner,
        "code_version": origin.code_version,
        "settings": asdict(settings),
        "statistics": {
            "revision": origin.statistics_revision,
            "groups": [
                {
                    "kind": key.subject.kind,
                    "name": key.subject.name,
                    "profile": key.profile,
                    "n": statistics[key].n,
                    "modelled": key in modelled,
                    "sha256": origin.statistics_digests.get(key),
                }
                for key in sorted(statistics)
            ],
        },
    }
