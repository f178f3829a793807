"""The protocol of held-out figures on real pictures, through the service's own statistics, solve and threshold.

Two loops, neither of which shows a head what it is measured on: folds by group (AP of every family), and every real
collection left out of everything (its false-positive rate at the threshold that the other collections give).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.forensic import ForensicEncoder
from daemon.encoders.launder import launder
from daemon.evaluate.average_precision import average_precision
from daemon.heads.pooling import Pooled, pool_statistics
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import solve_pooled
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.heads.threshold import left_out_source_thresholds
from daemon.intake.decode import Limits, decode
from daemon.model import FOLDS, PROFILES, LabelledVectors, Profile, Subject
from store.splits import fold_of

MIN_SAMPLES, MIN_SAMPLES_WORST = 10, 25  # pictures of a family for an AP, and to be the worst family

Rows = Mapping[Profile, LabelledVectors]
Scores = Mapping[Profile, NDArray[np.float64]]  # per profile (n,)


@dataclass(frozen=True)
class LeftOut:
    """Figures at thresholds that the measured collection had no part in."""

    false_positives: Mapping[str, float]  # real collection -> share called synthetic
    recall: float  # mean over families of the share of held-out pictures called synthetic


def encode(folder: Path, processes: int) -> dict[Profile, LabelledVectors]:
    """Every picture of a manifest under both profiles, rows in the manifest's order."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with ProcessPoolExecutor(processes) as pool:
        vectors = np.array(list(pool.map(_both, [folder / row["uri"] for row in rows], chunksize=16)))
    n = len(rows)
    synthetic = np.array([row["label"] == "synthetic" for row in rows])
    subjects = tuple(
        Subject("family", row["family"]) if row["label"] == "synthetic" else Subject("source", row["source"])
        for row in rows
    )
    groups = tuple(row["group"] for row in rows)
    folds = np.array([fold_of(group) for group in groups], np.int8)
    return {
        profile: LabelledVectors(
            np.arange(n), vectors[:, p], synthetic, subjects, groups, ("train",) * n, folds,
            np.ones(n, np.int64), (datetime(2026, 1, 1, tzinfo=UTC),) * n,
        )
        for p, profile in enumerate(PROFILES)
    }  # fmt: skip


def held_out_logits(rows: Rows, settings: HeadSettings) -> dict[Profile, NDArray[np.float64]]:
    """Each picture's logit by the head solved without its fold."""
    logits = {profile: np.empty(len(vectors)) for profile, vectors in rows.items()}
    for fold in range(FOLDS):
        statistics = _statistics(rows, without_fold=fold)
        head = solve_pooled(pool_statistics(statistics, settings.min_group), settings)
        for profile, vectors in rows.items():
            own = vectors.folds == fold
            logits[profile][own] = head.scores(vectors.vectors[own])
    return logits


def family_aps(rows: LabelledVectors, logits: NDArray[np.float64]) -> dict[str, float]:
    """AP at a prevalence of one half of each family with enough pictures, against all reals."""
    return {
        name: average_precision(logits[~rows.synthetic], logits[own])
        for name, own in _by_subject(rows, "family").items()
        if len(own) >= MIN_SAMPLES
    }


def worst(rows: LabelledVectors, aps: Mapping[str, float]) -> str:
    """The family of lowest AP among those with enough pictures for that."""
    return min(
        (n for n, own in _by_subject(rows, "family").items() if len(own) >= MIN_SAMPLES_WORST), key=aps.__getitem__
    )


def left_out_collections(rows: Rows, settings: HeadSettings, alpha: float) -> dict[Profile, LeftOut]:
    """Every real collection left out in turn, of the head and of the threshold, in each of the folds.

    A picture of the left-out collection counts with the share of the fold heads that call it synthetic; a fake is
    judged by the heads that know neither its fold nor the left-out collection.
    """
    collections = _by_subject(next(iter(rows.values())), "source")
    flagged = {profile: np.zeros((len(collections), len(vectors))) for profile, vectors in rows.items()}
    for fold in range(FOLDS):
        statistics = _statistics(rows, without_fold=fold)
        pooled = pool_statistics(statistics, settings.min_group)
        reals = {profile: vectors.take(np.flatnonzero(vectors.folds != fold)) for profile, vectors in rows.items()}
        for c, name in enumerate(collections):
            without = _Without.of(Subject("source", name), pooled, statistics, reals)
            thresholds = left_out_source_thresholds(without.pooled, without.statistics, without.reals, settings, alpha)
            head = solve_pooled(without.pooled, settings)
            for profile, vectors in rows.items():
                own = np.union1d(collections[name], np.flatnonzero(vectors.synthetic & (vectors.folds == fold)))
                called = head.scores(vectors.vectors[own]) > thresholds[profile].value
                flagged[profile][c, own] += called / np.where(vectors.synthetic[own], 1.0, FOLDS)
    return {profile: _left_out(rows[profile], flagged[profile], collections) for profile in rows}


@dataclass(frozen=True)
class _Without:
    """Everything as it would be had one collection never been delivered."""

    pooled: Pooled
    statistics: Mapping[GroupKey, GroupStatistics]
    reals: Rows

    @classmethod
    def of(
        cls, source: Subject, pooled: Pooled, statistics: Mapping[GroupKey, GroupStatistics], reals: Rows
    ) -> _Without:
        return cls(
            pooled.without_source(source, statistics),
            {key: group for key, group in statistics.items() if key.subject != source},
            {profile: v.take([i for i, s in enumerate(v.subjects) if s != source]) for profile, v in reals.items()},
        )


def _left_out(
    rows: LabelledVectors, flagged: NDArray[np.float64], collections: Mapping[str, NDArray[np.intp]]
) -> LeftOut:
    called = flagged.mean(axis=0)
    recalls = [called[own].mean() for own in _by_subject(rows, "family").values()]
    return LeftOut(
        {name: float(flagged[c, own].mean()) for c, (name, own) in enumerate(collections.items())}, fmean(recalls)
    )


def _statistics(rows: Rows, without_fold: int) -> dict[GroupKey, GroupStatistics]:
    found = {}
    for profile, vectors in rows.items():
        for kind in ("family", "source"):
            for name, own in _by_subject(vectors, kind).items():
                kept = own[vectors.folds[own] != without_fold]
                empty = GroupStatistics.empty(vectors.vectors.shape[1])
                key = GroupKey(Subject(kind, name), profile)  # type: ignore[arg-type]
                found[key] = empty.add(vectors.vectors[kept], vectors.folds[kept])
    return found


def _by_subject(rows: LabelledVectors, kind: str) -> dict[str, NDArray[np.intp]]:
    names = sorted({subject.name for subject in rows.subjects if subject.kind == kind})
    of = np.array([subject.name if subject.kind == kind else "" for subject in rows.subjects])
    return {name: np.flatnonzero(of == name) for name in names}


def _both(path: Path) -> NDArray[np.float16]:
    encoder = ForensicEncoder()
    picture = decode(path.read_bytes(), Limits())
    return np.stack([encoder.encode(form) for form in (picture, launder(picture))]).astype(np.float16)
