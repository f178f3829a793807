"""From statistics to a version in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daemon.cores import side_by_side
from daemon.errors import BadInputError
from daemon.heads.artifact import ANCHORS, Anchors, VersionArtifact
from daemon.heads.calibration import fit_platt
from daemon.heads.crossfit import held_out_scores
from daemon.heads.gradient import TrainedHead
from daemon.heads.head import Head
from daemon.heads.outside import outside_limits
from daemon.heads.pooling import Pooled
from daemon.heads.settings import HeadSettings
from daemon.heads.solved import LastSolved
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.heads.threshold import (
    Threshold,
    conformal_threshold,
    evenly,
    rows_to_place_by,
    thresholds_without,
)
from daemon.model import FOLDS, Dataset, Exclusion, LabelledVectors, Profile, Subject

# The splits whose rows may place thresholds and calibrate: the holdout and the reference pool stay unseen.
EVIDENCE_SPLITS = ("train", "calibration")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version comes from; written into its manifest."""

    encoder_fingerprint: str
    learner: str  # what asked for it: "update", "retrain", "recalibrate", ...
    code_version: str
    statistics_revision: int
    statistics_digests: Mapping[GroupKey, str]  # sha256 (hex) of each group's statistics
    parent: str | None = None  # version it was learned from; None: the first
    dataset: Dataset | None = None  # what was learned; None: not known
    exclusions: tuple[Exclusion, ...] = ()  # what was not, though its batch was


@dataclass(frozen=True, slots=True, eq=False)
class LearnedGroup:
    """One group among the rows that a head was trained on."""

    key: GroupKey
    count: int
    mean: NDArray[np.float64]  # (d,)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a head is trained without; nothing: it is the head of the version."""

    fold: int | None = None
    source: Subject | None = None


Train = Callable[[Sequence[LeftOut]], Sequence[TrainedHead]]


def fit_version(
    statistics: Mapping[GroupKey, GroupStatistics],
    reals: Mapping[Profile, LabelledVectors],
    calibration: Mapping[Profile, LabelledVectors],
    settings: HeadSettings,
    alpha: float,
    origin: Origin,
    *,
    cap: int = 500,
    solved: LastSolved | None = None,
) -> VersionArtifact:
    """Solve a head and everything a version needs around it.

    Parameters:
        statistics: all groups the version learns from.
        reals: per profile, rows for the left-out-source threshold; only real rows of the train and
            calibration splits are used.
        calibration: per profile, rows of both labels. Those of the calibration split are for Platt scaling and, with
            few real sources, the conformal threshold; these and those of the train split say how far known pictures
            lie from their groups. Rows that the statistics hold (by `learned_revision`) are judged by the head of
            their fold.
        alpha: false-positive rate of the thresholds.
        cap: most rows per subject and profile scored for the threshold and the outside limit.
        solved: what was solved last; when the digests in `origin` say that it was from these statistics, another weight
            of families needs no other solve. It then holds what was solved here.

    Returns:
        The version, with a threshold for every profile in `reals`.

    Raises:
        BadInputError: there is no family or no real source to learn from, or `reals` is empty.
    """
    if not reals:
        raise BadInputError("a version needs real pictures of at least one profile to place its threshold")
    heads = (solved or LastSolved()).heads(statistics, origin.statistics_digests, settings)
    head, folds = heads.whole(), heads.folds()
    known = {profile: _known_pictures(rows, cap) for profile, rows in calibration.items()}
    head = replace(head, limits=outside_limits(head, folds, known, origin.statistics_revision))
    placing = rows_to_place_by(threshold_rows(reals), min_rows=settings.min_group, cap=cap)
    thresholds = thresholds_without(placing, lambda source: heads.without(source, statistics), alpha)
    anchors = _anchors(head, heads.pooled.means)
    about = _about(statistics, heads.pooled, settings, origin)
    return assemble(
        head, folds, thresholds, tuple(reals), calibration, origin.statistics_revision, alpha, anchors, about
    )


def fit_trained(
    train: Train,
    groups: Sequence[LearnedGroup],
    reals: Mapping[Profile, LabelledVectors],
    calibration: Mapping[Profile, LabelledVectors],
    alpha: float,
    origin: Origin,
    about: Mapping[str, object],
    *,
    min_rows: int,
    most_sources: int,
    cap: int = 500,
) -> VersionArtifact:
    """Train a head and everything a version needs around it, as `fit_version` does for the closed form.

    Parameters:
        train: trains heads, each without a fold or a real source; asked once, for all of them.
        groups: what is trained on.
        reals, calibration, alpha, cap: as in `fit_version`.
        about: what the manifest says beside the origin and the groups: settings, rows.
        min_rows: real sources with fewer rows place no threshold.
        most_sources: most heads trained without one source; with more sources those with the most pictures count.

    Raises:
        BadInputError: there is too little to learn from, or `reals` is empty.
    """
    if not reals:
        raise BadInputError("a version needs real pictures of at least one profile to place its threshold")
    placing = rows_to_place_by(threshold_rows(reals), min_rows=min_rows, cap=cap, most_sources=most_sources)
    learned = {group.key.subject for group in groups}
    left_out = [source for source in placing.sources if source in learned]
    whole, *others = train(
        [
            LeftOut(),
            *(LeftOut(fold=fold) for fold in range(FOLDS)),
            *(LeftOut(source=source) for source in left_out),
        ]
    )
    folds = tuple(trained.head for trained in others[:FOLDS])
    without = {source: trained.head for source, trained in zip(left_out, others[FOLDS:], strict=True)}
    thresholds = thresholds_without(placing, lambda source: without.get(source, whole.head), alpha)
    training = {
        "epochs": whole.epochs,
        "best_epoch": whole.best_epoch,
        "converged": whole.converged,
        "losses": list(whole.losses),
    }
    return assemble(
        whole.head,
        folds,
        thresholds,
        tuple(reals),
        calibration,
        origin.statistics_revision,
        alpha,
        _anchors(whole.head, np.stack([group.mean for group in groups])),
        {**_origin_to_json(origin), **about, "training": training, "statistics": _groups_to_json(groups, origin)},
    )


def threshold_rows(reals: Mapping[Profile, LabelledVectors]) -> dict[Profile, LabelledVectors]:
    """The real rows that may place a threshold: the holdout and the reference pool stay unseen."""
    return {
        profile: rows.take([i for i in np.flatnonzero(~rows.synthetic).tolist() if rows.splits[i] in EVIDENCE_SPLITS])
        for profile, rows in reals.items()
    }


def _known_pictures(rows: LabelledVectors, cap: int) -> LabelledVectors:
    """At most `cap` rows of each subject, in the order of the rows, so that the work does not grow with the store."""
    own: dict[Subject, list[int]] = {}
    for i, subject in enumerate(rows.subjects):
        if rows.splits[i] in EVIDENCE_SPLITS:
            own.setdefault(subject, []).append(i)
    chosen = [evenly(np.array(numbers, np.intp), cap) for numbers in own.values()]
    return rows.take(np.sort(np.concatenate(chosen or [np.zeros(0, np.intp)])))


def assemble(
    head: Head,
    folds: tuple[Head, ...],
    thresholds: Mapping[Profile, Threshold],
    profiles: Sequence[Profile],
    calibration: Mapping[Profile, LabelledVectors],
    revision: int,
    alpha: float,
    anchors: Anchors,
    about: Mapping[str, object],
) -> VersionArtifact:
    """A version from its heads: conformal thresholds where there are no others, and the calibration.

    Parameters:
        thresholds: those there are; each of `profiles` gets one.
        calibration: per profile, rows of both labels; only those of the calibration split are used.
        revision: of the statistics that the head learned; 0: nothing.
    """
    scored = side_by_side(
        lambda rows: _HeldOut.of(head, folds, _of_splits(rows, ("calibration",)), revision), calibration.values()
    )
    held_out = dict(zip(calibration, scored, strict=True))
    placed = {
        profile: thresholds[profile] if profile in thresholds else _conformal(held_out.get(profile), alpha)
        for profile in profiles
    }
    parts = list(held_out.values())
    return VersionArtifact(
        head=head,
        fold_heads=folds,
        thresholds={profile: placed[profile] for profile in sorted(placed)},
        calibration=fit_platt(
            np.concatenate([part.scores for part in parts] or [np.zeros(0)]),
            np.concatenate([part.rows.synthetic for part in parts] or [np.zeros(0, np.bool_)]),
        ),
        anchors=anchors,
        about=about,
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


def _anchors(head: Head, means: NDArray[np.float64]) -> Anchors:
    """Anchor vectors at the group means (g, d), at most ANCHORS of them, evenly over the groups.

    Means, not pictures: a version is kept for ever, a picture may have to be forgotten.
    """
    count = min(ANCHORS, len(means))
    vectors = means[np.arange(count) * len(means) // count].astype(np.float16)
    return Anchors(vectors, head.scores(vectors))


def _about(
    statistics: Mapping[GroupKey, GroupStatistics], pooled: Pooled, settings: HeadSettings, origin: Origin
) -> dict[str, object]:
    modelled = set(pooled.keys)
    return {
        **_origin_to_json(origin),
        "settings": asdict(settings),
        "statistics": {
            "revision": origin.statistics_revision,
            "groups": [
                {
                    "kind": key.subject.kind,
                    "name": key.subject.name,
                    "profile": key.profile,
                    **({"form": key.form} if key.form else {}),
                    "n": statistics[key].n,
                    "modelled": key in modelled,
                    "sha256": origin.statistics_digests.get(key),
                }
                for key in sorted(statistics)
            ],
        },
    }


def _origin_to_json(origin: Origin) -> dict[str, object]:
    return {
        "encoder_fingerprint": origin.encoder_fingerprint,
        "parent": origin.parent,
        "learner": origin.learner,
        "code_version": origin.code_version,
        "dataset": None if origin.dataset is None else origin.dataset._asdict(),
        "exclusions": [exclusion._asdict() for exclusion in origin.exclusions],
    }


def _groups_to_json(groups: Sequence[LearnedGroup], origin: Origin) -> dict[str, object]:
    return {
        "revision": origin.statistics_revision,
        "groups": [
            {
                "kind": group.key.subject.kind,
                "name": group.key.subject.name,
                "profile": group.key.profile,
                "n": group.count,
                "modelled": True,
                "sha256": origin.statistics_digests.get(group.key),
            }
            for group in groups
        ],
    }
