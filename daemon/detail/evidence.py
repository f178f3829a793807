"""Evidence: a family's running test counted again vote by vote, for a curve; the service keeps only its end."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from daemon.detail.views import EvidenceView
from daemon.drift.subject_test import SubjectTest, watches_baseline
from daemon.drift.watch import Watch, logits_of
from daemon.model import Subject

MOST_POINTS = 400  # of the curve that is shown


def evidence_of(watch: Watch, family: str) -> EvidenceView | None:
    """The curve of a family's test against the champion; None when none runs.

    What was delivered in several batches under one group voted once, by its first batch; where batches began is not
    kept, so the way may differ a little from the one that was gone. The end is the stored evidence itself.
    """
    subject = Subject("family", family)
    state = watch.states.get(subject)
    if state is None:
        return None
    running = SubjectTest.from_dict(state.state).running
    rows = [row for row in watch.by_subject.get(subject, ()) if row.score_id <= state.last_score_id]
    rows.sort(key=lambda row: row.score_id)
    votes = watch.votes(logits_of(rows), [row.group for row in rows])
    counted = min(running.votes, len(votes[0]))  # a test that began anew, or watches a baseline, saw the last ones
    path = np.zeros(0)
    if counted:
        parts = running.restarted().parts
        paths = [part.path(values[-counted:]) for part, values in zip(parts, votes, strict=True)]
        path = (np.logaddexp.reduce(np.stack(paths), axis=0) - math.log(len(paths))) / math.log(10)
    return EvidenceView(
        family=family,
        version=state.version,
        test="baseline" if watches_baseline(state) else "floor",
        log10_evidence=[0.0, *_thinned(path)[:-1], state.log10_evidence] if counted else [0.0],
        alarm_log10=state.log10_alarm,
    )


def _thinned(path: NDArray[np.float64]) -> list[float]:
    if path.size <= MOST_POINTS:
        return [float(value) for value in path]
    kept = np.linspace(0, path.size - 1, MOST_POINTS).round().astype(np.intp)
    return [float(value) for value in path[kept]]
