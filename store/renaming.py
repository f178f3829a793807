"""A family's rows under another name: in place when it is renamed, beside another one's when the two are merged."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, select, update

from daemon.errors import TemporaryError
from store import tables as t

_OPEN = ("alarmed", "learned")
_BY_SUBJECT = (t.evaluation, t.test_state, t.statistics, t.learned, t.held, t.clipped, t.clip_judged)


def rename_rows(connection: Connection, family_id: int, old: str, new: str) -> None:
    """Everything that was measured, tested, learned and told of the family goes on under the new name.

    Rows of a family that had the new name before and is gone make way; what its tests cost stays spent. Raises
    TemporaryError while statistics still hold something of that one.
    """
    f, e, a, learned = t.family.c, t.episode.c, t.service_alarm.c, t.learned.c
    held = select(learned.sample_id).where(learned.subject_kind == "family", learned.subject_name == new)
    if connection.execute(held.limit(1)).first() is not None:
        raise TemporaryError(f"the statistics still hold an earlier {new}; try again after the next cycle")
    connection.execute(delete(t.family).where(f.name == new))
    connection.execute(update(t.family).where(f.id == family_id).values(name=new))
    for table in (t.evaluation, t.clipped, t.clip_judged):
        connection.execute(delete(table).where(_of(table, new)))
    _set_tests_aside(connection, new)
    for table in _BY_SUBJECT:
        connection.execute(update(table).where(_of(table, old)).values(subject_name=new))
    _rename_standing(connection, old, new)
    connection.execute(update(t.episode).where(e.family == old).values(family=new))
    # What is silent or too small under the old name is found so under the new one by the next cycle.
    connection.execute(delete(t.service_alarm).where(a.kind.in_(("stale", "insufficient")), a.about == old))


def take_over(connection: Connection, old: str, new: str, why: str) -> None:
    """What ran about the family `old` goes on about `new`, where `new` has nothing of the kind itself.

    Two open episodes cannot stand side by side: that of `old` is closed, the other one goes on. A test of `old` beside
    one of `new` stays as it is, for what it cost stays spent.
    """
    test, e = t.test_state.c, t.episode.c
    there = select(test.version).where(_of(t.test_state, new)).scalar_subquery()
    free = and_(_of(t.test_state, old), test.version.not_in(there))
    connection.execute(update(t.test_state).where(free).values(subject_name=new))
    still_open = and_(e.family == old, e.state.in_(_OPEN))
    running = select(e.id).where(e.family == new, e.state.in_(_OPEN))
    if connection.execute(running).first() is not None:
        connection.execute(update(t.episode).where(still_open).values(state="closed", note=why))
    moves = and_(e.family == old, e.state != "closed")
    connection.execute(update(t.episode).where(moves).values(family=new))


def _of(table: Table, name: str) -> ColumnElement[bool]:
    return and_(table.c.subject_kind == "family", table.c.subject_name == name)


def _set_tests_aside(connection: Connection, name: str) -> None:
    """Keep the tests of a family that had the name before under one that no family can have: the budget counts them."""
    test = t.test_state.c
    before = test.subject_name.startswith(f"{name}:", autoescape=True)
    serial = connection.execute(select(func.count(test.subject_name.distinct())).where(before)).scalar_one() + 1
    aside = update(t.test_state).where(_of(t.test_state, name)).values(subject_name=f"{name}:{serial}")
    connection.execute(aside)


def _rename_standing(connection: Connection, old: str, new: str) -> None:
    """The state moves; transitions are counted on from the higher number, for events are kept by name and number."""
    s, this = t.subject_state.c, t.subject_state
    highest = connection.execute(
        select(func.max(s.number)).where(s.subject_kind == "family", s.subject_name.in_((old, new)))
    ).scalar()
    if highest is None:
        return
    stands = connection.execute(select(s.number).where(_of(this, old))).first() is not None
    if stands:
        connection.execute(delete(this).where(_of(this, new)))
        connection.execute(update(this).where(_of(this, old)).values(subject_name=new, number=highest))
