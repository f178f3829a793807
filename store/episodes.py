"""What people do about episodes: each a transaction with its row in the audit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from daemon.errors import BadInputError, NotFoundError, TemporaryError
from daemon.model import Episode, Event, TestState
from store import audit
from store import tables as t
from store.events import insert_event
from store.measurements import episode_of, row_of_test
from store.parts import Part


class Episodes(Part):
    """Acknowledges, snoozes and closes episodes."""

    def acknowledge_episode(self, episode: int, actor: str, reason: str, at: datetime) -> Episode:
        """Somebody is on it. Raises BadInputError when there is no such open episode."""
        values = {"acknowledged_at": at, "acknowledged_by": actor}
        with self._database.write(durable=True) as connection:
            return _changed(connection, episode, values, "episode_ack", actor, reason, at, {})

    def snooze_episode(self, episode: int, until: datetime, actor: str, reason: str, at: datetime) -> Episode:
        """Nobody wants to hear of it until then. Raises BadInputError when there is no such open episode."""
        values, more = {"snoozed_until": until}, {"until": until.isoformat()}
        with self._database.write(durable=True) as connection:
            return _changed(connection, episode, values, "episode_snooze", actor, reason, at, more)

    def close_episode(
        self, episode: int, restarted: TestState | None, actor: str, reason: str, at: datetime
    ) -> Episode:
        """A person ends it; see `daemon.ports.SampleStore.close_episode`."""
        with self._database.write(durable=True) as connection:
            values = {"state": "closed", "note": reason, "closed_at": at}
            more = {"test_restarted": restarted is not None}
            after = _changed(connection, episode, values, "episode_close", actor, reason, at, more)
            if restarted is not None:
                unchanged = t.test_state.c.restarts == restarted.restarts - 1
                again = update(t.test_state).where(*_of(restarted), unchanged).values(row_of_test(restarted))
                if connection.execute(again).rowcount == 0:
                    raise TemporaryError(f"the test of {after.family} was begun anew meanwhile; try again")
            elif _alarmed(connection, after.family):
                raise TemporaryError(f"{after.family} was alarmed this moment; try again")
            text = f"the episode of {after.family} was closed by {actor}: {reason}"
            data: dict[str, object] = {"family": after.family, "episode": after.id, "actor": actor, **more}
            insert_event(connection, Event(None, f"episode_closed:{after.id}", "episode_closed", at, text, data))
            return after


def _changed(
    connection: Connection,
    episode: int,
    values: Mapping[str, Any],
    action: str,
    actor: str,
    reason: str,
    at: datetime,
    more: Mapping[str, object],
) -> Episode:
    query = select(t.episode).where(t.episode.c.id == episode)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no episode {episode}; `sidwatch episodes list --all` shows them")
    before = episode_of(row)
    if not before.open:
        raise BadInputError(f"episode {episode} of {before.family} is {before.state}; nothing is left to do about it")
    connection.execute(update(t.episode).where(t.episode.c.id == episode).values(**values))
    audit.append(
        connection,
        at=at,
        actor=actor,
        action=action,
        version=None,
        previous=None,
        reason=reason,
        payload={"episode": episode, "family": before.family, **more},
    )
    return episode_of(connection.execute(query).mappings().one())


def _of(test: TestState) -> tuple[Any, ...]:
    c = t.test_state.c
    return (
        c.version == test.version,
        c.subject_kind == test.subject.kind,
        c.subject_name == test.subject.name,
    )


def _alarmed(connection: Connection, family: str) -> bool:
    """Whether the family's test against the champion has alarmed."""
    c = t.test_state.c
    champion = select(t.alias.c.version).where(t.alias.c.name == "champion").scalar_subquery()
    query = select(c.version).where(
        c.version == champion, c.subject_kind == "family", c.subject_name == family, c.alarmed_at.is_not(None)
    )
    return connection.execute(query).first() is not None
