"""The protocol of held-out figures on real pictures, through the service's own statistics, solve and threshold.

Two loops, neither of which shows a head what it is measured on: folds by group (AP of every family, and its recall at
the left-out-source threshold), and every real collection left out of the head and of the threshold (its false-positive
rate).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
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
from daemon.heads.forms import modelled_apart
from daemon.heads.head import Head
from daemon.heads.pooling import pool_statistics
from daemon.heads.settings import HeadSettings
from daemon.heads.solve import solve_pooled
from daemon.heads.statistics import GroupKey, GroupStatistics
from daemon.heads.threshold import Threshold, left_out_source_thresholds
from daemon.intake.decode import Limits, decode
from daemon.model import FOLDS, PROFILES, LabelledVectors, Profile, Subject
from store.splits import fold_of

MIN_SAMPLES, MIN_SAMPLES_WORST = 10, 25  # pictures of a family for an AP, and to be the worst family

Rows = Mapping[Profile, LabelledVectors]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What heads say of pictures of a fold that they never saw."""

    logits: NDArray[np.float64]  # (n,)
    thresholds: NDArray[np.float64]  # (n,) that of the head which gave the logit


def encode(folder: Path, processes: int) -> dict[Profile, LabelledVectors]:
    """Every picture of a manifest under both profiles, rows in the manifest's order."""
    return labelled(folder, encoded(folder, processes))


def encoded(folder: Path, processes: int) -> NDArray[np.float16]:
    """The vectors of a manifest's pictures, float16 (n, profiles, d)."""
    with ProcessPoolExecutor(processes) as pool:
        return np.array(list(pool.map(_both, [folder / row["uri"] for row in _manifest(folder)], chunksize=16)))


def labelled(folder: Path, vectors: NDArray[np.float16]) -> dict[Profile, LabelledVectors]:
    """What `encoded` gave, with what the manifest says of each picture."""
    rows = _manifest(folder)
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
            np.arange(n), synthetic, subjects, groups, ("train",) * n, folds,
            np.ones(n, np.int64), (datetime(2026, 1, 1, tzinfo=UTC),) * n, vectors[:, p],
        )
        for p, profile in enumerate(PROFILES)
    }  # fmt: skip


def held_out(rows: Rows, formats: Sequence[str], settings: HeadSettings, alpha: float) -> dict[Profile, HeldOut]:
    """Each picture's logit by the head solved without its fold, and that head's own left-out-source thresholds."""
    found = {p: HeldOut(np.empty(len(r)), np.empty(len(r))) for p, r in rows.items()}
    for fold in range(FOLDS):
        learned = {p: r.take(np.flatnonzero(r.folds != fold)) for p, r in rows.items()}
        head, thresholds = _solved(learned, formats, settings, alpha)
        for profile, own in rows.items():
            kept = np.flatnonzero(own.folds == fold)
            found[profile].logits[kept] = head.scores(own.vectors[kept])
            found[profile].thresholds[kept] = thresholds[profile].value
    return found


def formats_of(folder: Path) -> list[str]:
    """The file format of every picture of a manifest, in its order."""
    return [row["format"] for row in _manifest(folder)]


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


def recall(rows: LabelledVectors, held_out: HeldOut) -> float:
    """Mean over families of the share called synthetic, each picture at its fold's threshold."""
    called = held_out.logits > held_out.thresholds
    return fmean(float(called[own].mean()) for own in _by_subject(rows, "family").values())


def unseen_false_positives(
    rows: Rows, formats: Sequence[str], settings: HeadSettings, alpha: float
) -> dict[Profile, dict[str, float]]:
    """Share of each real collection called synthetic by a head and threshold made as if it were never delivered."""
    found: dict[Profile, dict[str, float]] = {profile: {} for profile in rows}
    for name, unseen in _by_subject(next(iter(rows.values())), "source").items():
        learned = {p: r.take(np.setdiff1d(np.arange(len(r)), unseen)) for p, r in rows.items()}
        head, thresholds = _solved(learned, formats, settings, alpha)
        for profile, own in rows.items():
            found[profile][name] = float((head.scores(own.vectors[unseen]) > thresholds[profile].value).mean())
    return found


def statistics_of(rows: Rows, formats: Sequence[str] = (), min_form: int = 10) -> dict[GroupKey, GroupStatistics]:
    """The statistics of every group under every profile.

    formats: the file format of each sample, by its id; without them every subject is one group.
    """
    statistics: dict[tuple[Subject, Profile], dict[str, GroupStatistics]] = {}
    for profile, own in rows.items():
        came = np.array([formats[sample].lower() if formats else "" for sample in own.sample_ids.tolist()])
        for subject in sorted(set(own.subjects)):
            mine = np.array([other == subject for other in own.subjects])
            alike = {form: mine & (came == form) for form in sorted(set(came[mine]))}
            statistics[subject, profile] = {
                form: GroupStatistics.empty(own.vectors.shape[1]).add(own.vectors[kept], own.folds[kept])
                for form, kept in (alike if subject.kind == "family" else {"": mine}).items()
            }
    return modelled_apart(statistics, min_form)


def _solved(
    rows: Rows, formats: Sequence[str], settings: HeadSettings, alpha: float
) -> tuple[Head, Mapping[Profile, Threshold]]:
    statistics = statistics_of(rows, formats, max(settings.min_form, settings.min_group))
    pooled = pool_statistics(statistics, settings.min_group)
    return solve_pooled(pooled, settings), left_out_source_thresholds(pooled, statistics, rows, settings, alpha)


def _by_subject(rows: LabelledVectors, kind: str) -> dict[str, NDArray[np.intp]]:
    names = sorted({subject.name for subject in rows.subjects if subject.kind == kind})
    of = np.array([subject.name if subject.kind == kind else "" for subject in rows.subjects])
    return {name: np.flatnonzero(of == name) for name in names}


def _manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _both(path: Path) -> NDArray[np.float16]:
    encoder = ForensicEncoder()
    picture = decode(path.read_bytes(), Limits())
    return np.stack([encoder.encode(form) for form in (picture, launder(picture))]).astype(np.float16)
