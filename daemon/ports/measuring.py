"""Measurements, sequential tests, alarms, states of families and real sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from daemon.model import (
    Alarm,
    Episode,
    EvaluationRow,
    Event,
    Profile,
    ScoredRow,
    Subject,
    SubjectState,
    TestState,
    UnlabelledRow,
)


class MeasurementStore(Protocol):
    """Measurements, sequential tests, alarms, states of families and real sources."""

    def scored_rows(self, version: str, profile: Profile, after_score_id: int = 0) -> list[ScoredRow]:
        """Labelled active rows in order of (delivery time, sha256) with score_id > after_score_id."""
        ...

    def scored_within(self, ranges: Sequence[tuple[int, int]]) -> set[int]:
        """Samples whose pictures as delivered an own version scored under an id of the ranges (first, last)."""
        ...

    def save_evaluations(self, rows: Sequence[EvaluationRow], *, labels: int | None = None) -> None:
        """Store one measurement of a version, all rows of one time; of each day the last measurement is kept.

        labels: the label revision that they were measured by. Raises TemporaryError when it is another by now.
        """
        ...

    def latest_evaluations(self, version: str) -> list[EvaluationRow]:
        """The rows of that version's newest measurement."""
        ...

    def test_states(self, version: str) -> list[TestState]: ...
    def save_tests(self, tests: Sequence[TestState], episodes: Sequence[Episode], *, labels: int | None = None) -> None:
        """Tests and the episodes that they opened (id None) or took up again, in one transaction.

        A family has one open episode at most. labels: as in `save_evaluations`.
        What a person decided since they were read stands: a test that was begun anew is left alone, and instead of an
        episode that was closed a new one is opened.
        """
        ...

    def alarms(self) -> list[Alarm]:
        """Every alarm that was ever watched for, whether it stands or not, by kind and what it is about."""
        ...

    def save_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Write alarms over what is stored of the same (kind, about), in one transaction."""
        ...

    def unlabelled(self, fingerprint: str) -> list[UnlabelledRow]:
        """Active samples that have vectors, are not called real and belong to no family, in canonical order."""
        ...

    def last_samples(self) -> dict[str, datetime]:
        """Adapter -> when it last delivered a sample."""
        ...

    def groups_since(self, at: datetime) -> dict[Subject, int]:
        """How many groups of each family and real source were delivered after `at`."""
        ...

    def subject_states(self) -> dict[Subject, SubjectState]:
        """The state that each family and real source was last seen in."""
        ...

    def save_subject_states(self, changes: Sequence[tuple[SubjectState, Event | None]]) -> None:
        """Write states over the stored ones, each with the event that tells of it, in one transaction."""
        ...
