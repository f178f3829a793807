"""Hindsight: which alarms were false, judged by all that the alarmed version was measured on."""

from __future__ import annotations

from daemon.context import Context
from daemon.model import EvaluationRow, Subject


def false_alarms(context: Context) -> list[tuple[str, Subject]]:
    """(version, subject) of every alarm whose floors the version held after all, on its last measurement.

    A family: AUROC and recall at or above their floors; a real source: false-positive rate at or below the ceiling.
    """
    found = []
    for version in context.registry.outlines():
        measured = {
            row.subject: row
            for row in context.samples.latest_evaluations(version.id)
            if row.profile == "raw" and row.window == "held_out"
        }
        for test in context.samples.test_states(version.id):
            row = measured.get(test.subject)
            if test.alarmed_at is not None and row is not None and _healthy(context, row):
                found.append((version.id, test.subject))
    return found


def _healthy(context: Context, row: EvaluationRow) -> bool:
    alarms = context.settings.alarms
    if row.subject.kind == "source":
        rate = row.false_positive_rate
        return rate is not None and rate <= alarms.false_positive_ceiling
    if row.auroc is None or row.recall is None:
        return False
    return row.auroc >= alarms.auroc_floor and row.recall >= alarms.recall_floor
