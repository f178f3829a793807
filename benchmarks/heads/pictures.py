"""The same learners on real pictures: five folds by group, learning from both profiles, scored under each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean, median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.heads.contenders import Scores, head_settings, learn_one_by_one, river_head
from daemon.heads.gradient import GradientSettings, Split, train_gradient
from daemon.heads.pooling import pool_statistics
from daemon.heads.probe import ProbeSettings, train_probe
from daemon.heads.settings import ReadOut
from daemon.heads.solve import solve_pooled
from daemon.heads.standardise import Standardisation
from daemon.heads.training import is_validation
from daemon.model import FOLDS, LabelledVectors, Profile
from tests.acceptance.held_out import family_aps, statistics_of, worst

Rows = Mapping[Profile, LabelledVectors]
_VALIDATION: Final = 0.15  # share of the groups that decide when the gradient recipe stops, as shipped


def closed_form(read_out: ReadOut, rows: Rows, formats: Sequence[str]) -> tuple[Scores, dict[str, Any]]:
    """Statistics of every (subject, profile), families by file format, then the solve."""
    settings = head_settings(read_out)
    statistics = statistics_of(rows, formats, max(settings.min_form, settings.min_group))
    head = solve_pooled(pool_statistics(statistics, settings.min_group), settings)
    return head.scores, {"units": head.units.shape[1]}


def logistic(rows: Rows, _formats: Sequence[str]) -> tuple[Scores, dict[str, Any]]:
    """The service's probe: scikit-learn's logistic regression, class-balanced, on standardised features."""
    trained = train_probe(*_together(rows)[:2], ProbeSettings())
    return trained.head.scores, {"iterations": trained.epochs}


def gradient(rows: Rows, _formats: Sequence[str]) -> tuple[Scores, dict[str, Any]]:
    """The recipe of arXiv 2602.12381 on standardised features, as the service trains it for `forensic`."""
    vectors, synthetic, groups = _together(rows)
    aside = np.array([is_validation(group, _VALIDATION) for group in groups])
    split = Split(np.flatnonzero(~aside), np.flatnonzero(aside))
    (trained,) = train_gradient(vectors, synthetic, [split], GradientSettings(standardise=True))
    return trained.head.scores, {"epochs": trained.epochs}


def river(rows: Rows, _formats: Sequence[str]) -> tuple[Scores, dict[str, Any]]:
    """river's logistic regression, one pass in random order over standardised features."""
    from river.linear_model import LogisticRegression

    vectors, synthetic, _ = _together(rows)
    scale = Standardisation.of(vectors, wanted=True)
    order = np.random.default_rng(0).permutation(len(vectors))
    model = LogisticRegression()
    learn_one_by_one(model, scale.apply(vectors[order]), synthetic[order])
    return scale.unfold(river_head(model, vectors.shape[1])).scores, {}


LEARNERS: Final[Mapping[str, Callable[[Rows, Sequence[str]], tuple[Scores, dict[str, Any]]]]] = {
    "mixture": partial(closed_form, "mixture"),
    "linear": partial(closed_form, "linear"),
    "logistic": logistic,
    "gradient": gradient,
    "river": river,
}


def measure(rows: Rows, formats: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Learner -> mAP and worst family under each profile, and seconds for one fold's head from its rows.

    formats: the file format of each sample, by its id.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, learner in LEARNERS.items():
        logits = {profile: np.empty(len(own)) for profile, own in rows.items()}
        seconds: list[float] = []
        about: dict[str, Any] = {}
        for fold in range(FOLDS):
            learned = {profile: own.take(np.flatnonzero(own.folds != fold)) for profile, own in rows.items()}
            began = time.process_time()
            scores, about = learner(learned, formats)
            seconds.append(time.process_time() - began)
            for profile, own in rows.items():
                kept = np.flatnonzero(own.folds == fold)
                logits[profile][kept] = scores(own.vectors[kept])
        found[name] = {"cpu": median(seconds), "about": about, **_figures(rows, logits)}
    return found


def _figures(rows: Rows, logits: Mapping[Profile, NDArray[np.float64]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for profile, own in rows.items():
        aps = family_aps(own, logits[profile])
        lowest = worst(own, aps)
        figures[profile] = {"map": fmean(aps.values()), "worst": aps[lowest], "worst_family": lowest}
    return figures


def _together(rows: Rows) -> tuple[NDArray[np.float16], NDArray[np.bool_], tuple[str, ...]]:
    """Vectors, labels and groups of both profiles."""
    return (
        np.concatenate([own.vectors for own in rows.values()]),
        np.concatenate([own.synthetic for own in rows.values()]),
        tuple(group for own in rows.values() for group in own.groups),
    )
