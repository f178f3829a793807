"""Evaluate: the figures of the champion and the latest challenger on every family and every real source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.errors import CorruptArtifact
from daemon.evaluate.material import Counts, Material, by_subject, comparable_vectors, counts, material_of, newest_of
from daemon.evaluate.rows import evaluation_rows, family_row
from daemon.figures import LEFT_OUT, SHADOW, latest_challenger
from daemon.model import EvaluationRow, VersionRecord
from daemon.settings import EvaluateSettings

__all__ = [
    "by_subject",
    "comparable_vectors",
    "differing_figures",
    "evaluate",
    "family_row",
    "latest_challenger",
    "measure",
]

log = structlog.get_logger("sidwatch.evaluate")


def evaluate(context: Context) -> bool:
    """Measure champion and challenger anew when they or the samples changed; returns whether the champion was."""
    labels = context.samples.label_revision()
    champion = context.champion.get()
    if champion is None:
        return False
    labelled = newest_of(context, champion.record.fingerprint)
    challenger = latest_challenger(context.registry, champion.record)
    if challenger is not None:
        same_encoder = challenger.fingerprint == champion.record.fingerprint
        found = material_of(context, challenger, labelled if same_encoder else None)
        _measure_challenger(context, challenger, found, labels)
    material = material_of(context, champion.record, labelled)
    return _bring_up_to_date(context, champion.record, material, lambda: champion, labels)


def _measure_challenger(context: Context, record: VersionRecord, material: list[Material], labels: int) -> None:
    try:
        _bring_up_to_date(context, record, material, lambda: load_version(context.registry, record), labels)
    except CorruptArtifact as error:  # the champion serves on; `sidwatch verify` names the damage
        log.warning("the challenger cannot be measured", version=record.id, error=str(error))


def _bring_up_to_date(
    context: Context, record: VersionRecord, material: list[Material], load: Callable[[], LoadedVersion], labels: int
) -> bool:
    saved, settings = _saved(context, record.id), context.settings.evaluate
    # A clock that was put back must not make the new figures older than those they follow.
    now = max([context.clock.now(), *(row.at for row in saved[:1])])
    if _is_fresh(saved, material, settings, now):
        return False
    context.samples.save_evaluations(_measured(load(), material, settings, now), labels=labels)
    return True


def _saved(context: Context, version: str) -> list[EvaluationRow]:
    return [row for row in context.samples.latest_evaluations(version) if row.window != SHADOW]


def differing_figures(context: Context) -> list[str]:
    """Names of the champion's saved figures that the store's vectors do not give again; [] while some are due.

    A service may work beside: what changed while this looked is no fault.
    """
    champion = context.champion.get()
    if champion is None:
        return []
    saved = _saved(context, champion.record.id)
    settings = context.settings.evaluate
    material = material_of(context, champion.record)
    if not saved or not _is_fresh(saved, material, settings, saved[0].at):
        return []
    before = {(row.subject, row.profile, row.window): row for row in saved}
    again = _measured(champion, material, settings, saved[0].at)
    if _saved(context, champion.record.id) != saved:
        return []
    return [
        f"{row.subject.name} ({row.profile}, {row.window})"
        for row in again
        if before.get((row.subject, row.profile, row.window)) != row
    ]


def measure(context: Context, version: LoadedVersion) -> list[EvaluationRow]:
    """The figures of any version in every window, under every profile, not saved."""
    return _measured(version, material_of(context, version.record), context.settings.evaluate, context.clock.now())


def _is_fresh(
    measured: list[EvaluationRow], material: list[Material], settings: EvaluateSettings, now: datetime
) -> bool:
    """Whether the saved figures were made from just these rows; asked of the store, so that a kill loses nothing."""
    counted: Counts = {(r.subject, r.profile, r.window): r.n for r in measured if r.window != LEFT_OUT}
    due: Counts = {}
    for one in material:
        if not len(one.labelled) or not measured or max(one.labelled.delivered_at) > measured[0].at:
            return False
        due |= counts(one, settings, now)
    return counted == due


def _measured(
    version: LoadedVersion, material: list[Material], settings: EvaluateSettings, at: datetime
) -> list[EvaluationRow]:
    """One row per subject and window, and one per real source left out."""
    return [row for one in material for row in evaluation_rows(version, one, settings, at)]
