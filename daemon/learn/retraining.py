"""Retrain: a challenger by any learner, through the same gate as an update."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

import numpy as np

from daemon import __version__
from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.errors import BadInputError
from daemon.explain.space import trainable_concepts
from daemon.heads import GroupKey, Origin, VersionArtifact, fit_trained, write
from daemon.heads.concept_training import ConceptRecipe
from daemon.heads.gradient import GradientSettings, TrainedHead
from daemon.heads.learner import LearnedGroup, LeftOut
from daemon.heads.probe import ProbeSettings
from daemon.heads.training import Recipe, TrainingRows, Without, is_validation
from daemon.learn.excluding import excluded
from daemon.learn.forgetting import in_profile
from daemon.learn.learning import Challenge, ClosedForm, Make, fingerprint_of, teachable, unpicked, update
from daemon.learn.trainer import Trainer
from daemon.model import LabelledVectors, Profile, Subject
from daemon.reembed.recorded import settings_of
from daemon.settings import Settings

Learner = Literal["closed_form", "gradient", "probe", "concept"]
ReadOut = Literal["mixture", "linear"]
# What `sidwatch retrain` can ask for, as the name of the running service's job.
RETRAININGS: Mapping[str, tuple[Learner, ReadOut | None]] = {
    "retrain_mixture": ("closed_form", "mixture"),
    "retrain_linear": ("closed_form", "linear"),
    "retrain_gradient": ("gradient", None),
    "retrain_probe": ("probe", None),
    "retrain_concept": ("concept", None),
}


def job_of(learner: str, read_out: str | None, settings: Settings) -> str:
    """The job that retrains so; the closed form's read-out is the configured one unless stated.

    Raises BadInputError for an unknown learner or read-out.
    """
    wanted = (learner, (read_out or settings.head.read_out) if learner == "closed_form" else read_out)
    for job, known in RETRAININGS.items():
        if known == wanted:
            return job
    if learner in ("gradient", "probe", "concept"):
        raise BadInputError(f"the learner {learner} has no read-out: leave --read-out away")
    if learner != "closed_form":
        raise BadInputError(f"there is no learner {learner!r}: closed_form, gradient, probe or concept")
    raise BadInputError(f"there is no read-out {read_out!r}: mixture or linear")


def retrain(context: Context, job: str) -> Challenge | None:
    """A challenger by the learner of the job, from everything there is; None: nothing new since its last version.

    Raises BadInputError (too little to learn from), ChildFailed (the training died, overran or grew too large).
    """
    learner, read_out = RETRAININGS[job]
    if learner == "closed_form":
        assert read_out is not None
        return update(context, ClosedForm(read_out))
    return update(context, trained(learner))


def recipe_of(settings: Settings, learner: Learner) -> Recipe:
    """The learner's recipe; features are standardised unless they are CLIP's, which the paper feeds as they are."""
    by_default = settings.encoder.name != "open_clip"
    if learner == "probe":
        probe = settings.learn.probe
        return ProbeSettings(
            c=probe.c,
            max_iterations=probe.max_iterations,
            standardise=by_default if probe.standardise is None else probe.standardise,
        )
    if learner == "concept":
        return ConceptRecipe(**settings.learn.concept.model_dump())
    gradient = settings.learn.gradient
    values = gradient.model_dump(exclude={"validation", "standardise"})
    return GradientSettings(**values, standardise=by_default if gradient.standardise is None else gradient.standardise)


def trained(learner: Learner) -> Make:
    """Train by a learner that is not the closed form.

    The maker raises BadInputError (too little to learn from), ChildFailed (the training died, overran, grew too large).
    """

    def make(context: Context, champion: LoadedVersion | None, triggers: tuple[Subject, ...]) -> LoadedVersion:
        fingerprint = fingerprint_of(context, champion)
        revision = context.samples.statistics_revision(fingerprint)
        artifact = _fit(context, learner, champion, revision)
        tensors, manifest = write(artifact)
        record = context.registry.add_version(
            parent=champion.record.id if champion else None,
            fingerprint=fingerprint,
            learner=learner,
            statistics_revision=revision,
            manifest=manifest,
            tensors=tensors,
            at=context.clock.now(),
        )
        return load_version(context.registry, record)

    return make


def _fit(context: Context, learner: Learner, champion: LoadedVersion | None, revision: int) -> VersionArtifact:
    settings = context.settings.learn
    made = settings_of(context, fingerprint_of(context, champion))  # config.yaml may name another encoder by now
    recipe = recipe_of(context.settings.model_copy(update={"encoder": made}), learner)
    may_teach = teachable(context, fingerprint_of(context, champion))
    every = context.samples.learned_rows(fingerprint_of(context, champion))
    held = {profile: {row.sample_id for row in in_profile(every, profile)} for profile in may_teach}
    learned = {profile: _learned(rows, revision, held[profile]) for profile, rows in may_teach.items()}
    judged = unpicked(context, may_teach)
    if not any(len(rows) for rows in learned.values()):
        raise BadInputError("there is nothing to train on: no picture of a trusted source was measured and learned yet")
    sources = sorted({s for rows in learned.values() for s in rows.subjects if s.kind == "source"})
    rows = training_rows(learned, sources, settings.gradient.validation)
    with Trainer(
        rows,
        learner,
        recipe,
        deadline=settings.deadline.total_seconds(),
        memory_limit=settings.memory_limit,
        concepts=trainable_concepts(context, rows.vectors.shape[1]) if learner == "concept" else None,
    ) as trainer:

        def train(heads: Sequence[LeftOut]) -> list[TrainedHead]:
            return trainer.train(
                [Without(head.fold, None if head.source is None else sources.index(head.source)) for head in heads],
                progress=lambda done, of: context.progress("training", done, of),
            )

        return fit_trained(
            train,
            _groups(learned),
            judged,
            judged,
            context.settings.threshold.alpha,
            Origin(
                encoder_fingerprint=fingerprint_of(context, champion),
                learner=learner,
                code_version=__version__,
                statistics_revision=revision,
                statistics_digests={},
                parent=champion.record.id if champion else None,
                dataset=context.samples.learned_dataset(fingerprint_of(context, champion)),
                exclusions=excluded(context, fingerprint_of(context, champion)),
            ),
            {"settings": asdict(recipe), "rows": {"n": len(rows.synthetic), "sha256": rows.digest}},
            min_rows=context.settings.head.min_group,
            most_sources=settings.left_out_heads,
        )


def training_rows(
    learned: Mapping[Profile, LabelledVectors], sources: list[Subject], validation: float
) -> TrainingRows:
    """The rows of all profiles under one another.

    sources: the numbering of the real sources. validation: share of the groups that decide the early stop.
    """
    number = {source: i for i, source in enumerate(sources)}
    parts = list(learned.values())
    return TrainingRows(
        np.concatenate([rows.vectors for rows in parts]),
        np.concatenate([rows.synthetic for rows in parts]),
        np.concatenate([rows.folds for rows in parts]),
        np.array([number.get(subject, -1) for rows in parts for subject in rows.subjects], np.int32),
        np.array([is_validation(group, validation) for rows in parts for group in rows.groups], np.bool_),
    )


def _learned(rows: LabelledVectors, revision: int, held: Collection[int]) -> LabelledVectors:
    """What the statistics hold; a row that was taken out keeps its revision, and may not be trained on."""
    there = np.array([sample in held for sample in rows.sample_ids.tolist()], np.bool_)
    return rows.take(np.flatnonzero(there & (rows.learned_revision <= revision)))


def _groups(learned: Mapping[Profile, LabelledVectors]) -> list[LearnedGroup]:
    groups = []
    for profile, rows in learned.items():
        for subject in set(rows.subjects):
            own = rows.vectors[[i for i, other in enumerate(rows.subjects) if other == subject]]
            groups.append(LearnedGroup(GroupKey(subject, profile), len(own), own.mean(axis=0, dtype=np.float64)))
    return sorted(groups, key=lambda group: group.key)
