"""Evaluations, sequential tests, episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from daemon.errors import NotFoundError, TemporaryError
from daemon.figures import SHADOW
from daemon.model import OPEN_STATES, Episode, EvaluationRow, Subject, TestState
from store import tables as t
from store.parts import Part

_EVALUATION = tuple(field.name for field in fields(EvaluationRow) if field.name != "subject")
_EPISODE = tuple(field.name for field in fields(Episode))
_HANDLED = ("acknowledged_at", "acknowledged_by", "snoozed_until", "closed_at")  # people's own: `store.episodes`
_TEST = tuple(field.name for field in fields(TestState) if field.name != "subject")

# A shadow comparison is measured at a time of its own, and must not stand for a measurement.
_KINDS = (t.evaluation.c.window == SHADOW, t.evaluation.c.window != SHADOW)


class Measurements(Part):
    """Writes and reads measured figures, running tests and incidents."""

    def save_evaluations(self, rows: Sequence[EvaluationRow], *, labels: int | None = None) -> None:
        """Store a measurement in the place of what was measured of these versions at the same time.

        rows: all that was measured. A shadow comparison and a measurement do not replace each other.
        Of each version and day (UTC) the last measurement stays: the past is kept, and its size is bounded.
        """
        e = t.evaluation.c
        measured: dict[tuple[str, datetime, bool], dict[tuple[Any, ...], dict[str, Any]]] = {}
        for row in rows:
            of_one = measured.setdefault((row.version, row.at, row.window == SHADOW), {})
            of_one[(*row.subject, row.profile, row.window)] = _flat(row, _EVALUATION)
        with self._database.write() as connection:
            _check_labels(connection, labels)
            for (version, at, shadow), new in sorted(measured.items(), key=itemgetter(0)):
                connection.execute(delete(t.evaluation).where(e.version == version, e.at == at, _KINDS[not shadow]))
                connection.execute(insert(t.evaluation), list(new.values()))
                _thin(connection, version, at)

    def latest_evaluations(self, version: str) -> list[EvaluationRow]:
        """The rows of that version's newest measurement, and those of its newest shadow comparison."""
        e = t.evaluation.c
        newest = [
            and_(kind, e.at == select(func.max(e.at)).where(e.version == version, kind).scalar_subquery())
            for kind in _KINDS
        ]
        query = (
            select(t.evaluation)
            .where(e.version == version, or_(*newest))
            .order_by(e.subject_kind, e.subject_name, e.profile, e.window)
        )
        with self._database.read() as connection:
            return [
                EvaluationRow(subject=_subject(row), **{name: row[name] for name in _EVALUATION})
                for row in connection.execute(query).mappings()
            ]

    def test_states(self, version: str) -> list[TestState]:
        """The running tests against that version."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(t.test_state)
                .where(t.test_state.c.version == version)
                .order_by(t.test_state.c.subject_kind, t.test_state.c.subject_name)
            )
            return [TestState(subject=_subject(row), **{name: row[name] for name in _TEST}) for row in rows.mappings()]

    def save_tests(self, tests: Sequence[TestState], episodes: Sequence[Episode], *, labels: int | None = None) -> None:
        """Tests and the episodes that they opened, in one transaction.

        An episode that was read back is written over; one of a family that has an open one is not opened again.
        What a person decided meanwhile stands: a test that began anew is left alone, with its episode, and instead of
        an episode that was closed a new one is opened.
        """
        with self._database.write() as connection:
            _check_labels(connection, labels)
            stale = {test.subject for test in tests if not _upsert_test(connection, row_of_test(test))}
            for episode in episodes:
                if Subject("family", episode.family) in stale:
                    continue
                if episode.id is not None and _write_over(connection, episode):
                    continue
                if not _has_open(connection, episode.family):
                    connection.execute(insert(t.episode).values(_without_id(episode)))

    def episodes(self, *, open_only: bool = False) -> list[Episode]:
        """Incidents in the order in which they were opened."""
        query = select(t.episode).order_by(t.episode.c.id)
        if open_only:
            query = query.where(t.episode.c.state.in_(OPEN_STATES))
        with self._database.read() as connection:
            return [episode_of(row) for row in connection.execute(query).mappings()]

    def update_episode(self, episode: Episode) -> None:
        """Write an episode that was read back; one that a person closed meanwhile stays closed.

        Raises BadInputError when it is not there.
        """
        with self._database.write() as connection:
            if not _write_over(connection, episode):
                there = connection.execute(select(t.episode.c.id).where(t.episode.c.id == episode.id)).first()
                if there is None:
                    raise NotFoundError(f"there is no episode {episode.id}")


def episode_of(row: Any) -> Episode:
    """An episode from a mapping of its row."""
    return Episode(**{name: row[name] for name in _EPISODE})


def row_of_test(test: TestState) -> dict[str, Any]:
    """A test as a row."""
    return _flat(test, _TEST)


def label_revision_in(connection: Connection) -> int:
    """Number of the last correction or forgetting."""
    corrected = select(func.coalesce(func.max(t.correction.c.number), 0)).scalar_subquery()
    a = t.audit.c
    forgotten = select(func.coalesce(func.max(a.number), 0)).where(a.action == "forget").scalar_subquery()
    return int(max(connection.execute(select(corrected, forgotten)).one()))


def _check_labels(connection: Connection, labels: int | None) -> None:
    if labels is not None and label_revision_in(connection) != labels:
        raise TemporaryError("labels were corrected while this was worked out from them; the next cycle does it anew")


def _thin(connection: Connection, version: str, at: datetime) -> None:
    e = t.evaluation.c
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for kind in _KINDS:
        of_the_day = (e.version == version, kind, e.at >= day, e.at < day + timedelta(days=1))
        newest = connection.execute(select(func.max(e.at)).where(*of_the_day)).scalar()
        if newest is not None:
            connection.execute(delete(t.evaluation).where(*of_the_day, e.at < newest))


def _flat(row: EvaluationRow | TestState, names: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    return {**values, "subject_kind": row.subject.kind, "subject_name": row.subject.name}


def _subject(row: Any) -> Subject:
    return Subject(row["subject_kind"], row["subject_name"])


def _without_id(episode: Episode) -> dict[str, Any]:
    return {name: value for name, value in asdict(episode).items() if name != "id"}


def _write_over(connection: Connection, episode: Episode) -> bool:
    """False when it is closed or not there. One that alarms again is nobody's any more, and no longer snoozed.

    Its family stays: it may have been renamed since the episode was read.
    """
    e = t.episode.c
    before = connection.execute(select(e.state).where(e.id == episode.id, e.state != "closed")).scalar()
    if before is None:
        return False
    values = {name: value for name, value in _without_id(episode).items() if name not in ("family", *_HANDLED)}
    if episode.state == "alarmed" and before != "alarmed":
        values |= {"acknowledged_at": None, "acknowledged_by": "", "snoozed_until": None}
    connection.execute(update(t.episode).where(e.id == episode.id).values(values))
    return True


def _has_open(connection: Connection, family: str) -> bool:
    e = t.episode.c
    query = select(e.id).where(e.family == family, e.state.in_(OPEN_STATES))
    return connection.execute(query).first() is not None


def close_episodes(connection: Connection, subject: Subject, note: str) -> int:
    """Close the family's open episode, if there is one, and say why; returns how many were closed."""
    if subject.kind != "family":
        return 0
    e = t.episode.c
    still_open = and_(e.family == subject.name, e.state.in_(OPEN_STATES))
    return connection.execute(update(t.episode).where(still_open).values(state="closed", note=note)).rowcount


def _upsert_test(connection: Connection, values: dict[str, Any]) -> bool:
    c = t.test_state.c
    key = and_(*(c[name] == values[name] for name in ("version", "subject_kind", "subject_name")))
    there = connection.execute(select(c.restarts).where(key)).scalar()
    if there is None:
        connection.execute(insert(t.test_state).values(values))
    elif there == values["restarts"]:
        connection.execute(update(t.test_state).where(key).values(values))
    return there is None or there == values["restarts"]
