"""The states that families and real sources were last seen in."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, insert, select, update

from daemon.model import Event, Subject, SubjectState
from store import tables as t
from store.events import insert_event
from store.parts import Part


class Standings(Part):
    """Writes and reads states."""

    def subject_states(self) -> dict[Subject, SubjectState]:
        """The state that each family and real source was last seen in."""
        with self._database.read() as connection:
            rows = [
                SubjectState(Subject(row.subject_kind, row.subject_name), row.state, row.since, row.number)
                for row in connection.execute(select(t.subject_state))
            ]
        return {row.subject: row for row in rows}

    def save_subject_states(self, changes: Sequence[tuple[SubjectState, Event | None]]) -> None:
        """Write states over the stored ones, each with the event that tells of it, in one transaction."""
        s = t.subject_state
        with self._database.write() as connection:
            for state, event in changes:
                values = {"state": state.state, "since": state.since, "number": state.number}
                name = {"subject_kind": state.subject.kind, "subject_name": state.subject.name}
                key = and_(*(s.c[column] == value for column, value in name.items()))
                if connection.execute(update(s).where(key).values(values)).rowcount == 0:
                    connection.execute(insert(s).values({**name, **values}))
                if event is not None:
                    insert_event(connection, event)


def blank_standing(connection: Connection, subject: Subject) -> None:
    """Nothing is left of the subject: should one of that name come again, it is new, and its transitions are told.

    Its transitions go on being counted where they were, for their events are kept by these numbers.
    """
    s = t.subject_state.c
    this = and_(s.subject_kind == subject.kind, s.subject_name == subject.name)
    connection.execute(update(t.subject_state).where(this).values(state=""))
