"""Gate: champion and challenger on the same pictures, none of which the scoring head has learned."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.cores import side_by_side
from daemon.evaluate.family import FamilyEvaluation, SourceEvaluation, evaluate_families, evaluate_source
from daemon.evaluate.material import by_subject, comparable_samples
from daemon.learn.attempts import against, history
from daemon.learn.importing_export import LEARNER
from daemon.learn.learning import Challenge
from daemon.learn.recalibrating import LEARNER as RECALIBRATE
from daemon.model import PROFILES, LabelledSamples, LabelledVectors, Profile, Subject
from daemon.promote.comparison import Comparison, GateSettings
from daemon.promote.first_champion import first_champion_verdict
from daemon.promote.gate import gate, gate_forgetting, gate_recalibration
from daemon.promote.verdict import Verdict
from daemon.settings import Settings
from daemon.suspect import suspect_samples

Rows = TypeVar("Rows", LabelledSamples, LabelledVectors)

LARGE = 100  # holdout groups from which on a subject is judged on its holdout alone, no longer by cross-fitting


def judge(context: Context, challenge: Challenge) -> Verdict:
    """What the gate says of a challenger, with every number behind it."""
    fingerprint = challenge.version.record.fingerprint
    counted = comparable_samples(context, fingerprint).without(suspect_samples(context.samples))
    rows = gate_rows(counted, large_subjects(context))
    if challenge.champion is None:
        own = context.samples.with_vectors(fingerprint, "raw", rows)
        return _judge_first(challenge.version, own, context.settings)
    champion, challenger = challenge.champion, challenge.version
    unfair = learned_anchors(context, champion)
    fair = rows.take([i for i, s in enumerate(rows.subjects) if s not in unfair])
    pictures = [context.samples.with_vectors(fingerprint, profile, fair) for profile in PROFILES]
    comparisons = side_by_side(
        lambda number: compare(champion, challenger, PROFILES[number], pictures[number]), range(len(PROFILES))
    )
    if challenger.record.learner == RECALIBRATE:
        return gate_recalibration(comparisons, gate_settings(context.settings))
    if _forgets(context, champion, challenger):
        return gate_forgetting(comparisons, alarmed(context), gate_settings(context.settings))
    versions = context.registry.versions()
    tried = [against(history(versions, one, champion.names), champion.record.id) for one in challenge.triggers]
    # A version that comes back from the shadow is asked about at the level of its first time: it must pass twice.
    attempt = 1 + max(sum(one.version != challenger.record.id for one in attempts) for attempts in tried)
    return gate(comparisons, challenge.triggers, attempt, gate_settings(context.settings))


def _forgets(context: Context, champion: LoadedVersion, challenger: LoadedVersion) -> bool:
    """Whether the champion holds what somebody had forgotten and the challenger nothing of the kind."""
    if challenger.record.learner == LEARNER:  # it was learned elsewhere, nobody knows from what
        return False
    before, after = (
        context.samples.forgotten_in(one.record.fingerprint, one.record.statistics_revision)
        for one in (champion, challenger)
    )
    return before > 0 and after == 0


def alarmed(context: Context) -> tuple[Subject, ...]:
    """The families that evade the champion."""
    episodes = context.samples.episodes(open_only=True)
    return tuple(Subject("family", episode.family) for episode in episodes if episode.state == "alarmed")


def large_subjects(context: Context) -> set[Subject]:
    """Those that are judged on their holdout alone."""
    return {subject for subject, n in context.samples.group_counts(split="holdout").items() if n >= LARGE}


def learned_anchors(context: Context, champion: LoadedVersion) -> set[Subject]:
    """Anchors that the champion learned before they became anchors: beside it, whatever may not learn them is worse."""
    known = champion.known
    flags = context.samples.family_flags()
    return {subject for subject, own in flags.items() if own.anchor and subject in known}


def gate_rows(labelled: Rows, large: Collection[Subject]) -> Rows:
    """The holdout of large subjects, and every picture of small ones: their scores are cross-fitted."""
    keep = [i for i, s in enumerate(labelled.subjects) if s not in large or labelled.splits[i] == "holdout"]
    return labelled.take(keep)


def compare(
    champion: LoadedVersion,
    challenger: LoadedVersion,
    profile: Profile,
    rows: LabelledVectors,
    rows_challenger: LabelledVectors | None = None,
) -> Comparison:
    """Both versions' held-out scores of the same samples, their thresholds and probabilities.

    rows_challenger: the same samples as `rows` by the challenger's encoder, when it has another one.
    """
    before, after = champion.held_out(rows), challenger.held_out(rows if rows_challenger is None else rows_challenger)
    return Comparison(
        profile=profile,
        scores_champion=before,
        scores_challenger=after,
        synthetic=rows.synthetic,
        subjects=rows.subjects,
        groups=rows.groups,
        threshold_champion=champion.threshold(profile),
        threshold_challenger=challenger.threshold(profile),
        probabilities_champion=champion.artifact.calibration.probability(before),
        probabilities_challenger=challenger.artifact.calibration.probability(after),
    )


def gate_settings(settings: Settings) -> GateSettings:
    """The gate's settings from the configuration."""
    gate = settings.gate
    return GateSettings(
        superiority_alpha=gate.alpha,
        family_margin=gate.family_margin,
        macro_margin=gate.mean_margin,
        rate_margin=gate.false_positive_margin,
        min_groups=gate.min_groups,
        replicates=gate.replicates,
        unresolved=gate.unresolved,
        prevalence=settings.evaluate.prevalence,
    )


def _judge_first(version: LoadedVersion, rows: LabelledVectors, settings: Settings) -> Verdict:
    scores = version.held_out(rows)
    families, sources = by_subject(rows)
    return first_champion_verdict(
        _families(version, rows, scores, families, settings),
        _sources(version, rows, scores, sources),
        "raw",
    )


def _families(
    version: LoadedVersion,
    rows: LabelledVectors,
    scores: NDArray[np.float64],
    families: dict[Subject, NDArray[np.intp]],
    settings: Settings,
) -> dict[str, FamilyEvaluation]:
    real = np.flatnonzero(~rows.synthetic)
    return evaluate_families(
        scores[real],
        [rows.groups[i] for i in real],
        {s.name: (scores[own], [rows.groups[i] for i in own]) for s, own in families.items()},
        version.threshold("raw"),
        settings.evaluate.prevalence,
    )


def _sources(
    version: LoadedVersion,
    rows: LabelledVectors,
    scores: NDArray[np.float64],
    sources: dict[Subject, NDArray[np.intp]],
) -> dict[str, SourceEvaluation]:
    return {
        subject.name: evaluate_source(scores[own], version.threshold("raw"), [rows.groups[i] for i in own])
        for subject, own in sources.items()
    }
