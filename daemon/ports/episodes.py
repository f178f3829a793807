"""Incidents, and what people did about them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from daemon.model import Episode, TestState


class EpisodeStore(Protocol):
    """Incidents, and what people did about them."""

    def episodes(self, *, open_only: bool = False) -> list[Episode]: ...
    def update_episode(self, episode: Episode) -> None:
        """Write an episode that was read back, but for what people did about it; a closed one stays as it is."""
        ...

    def acknowledge_episode(self, episode: int, actor: str, reason: str, at: datetime) -> Episode:
        """Somebody is on it; audited. Raises BadInputError when there is no such open episode."""
        ...

    def snooze_episode(self, episode: int, until: datetime, actor: str, reason: str, at: datetime) -> Episode:
        """Nobody wants to hear of it until then; audited. Raises BadInputError when there is no such open episode."""
        ...

    def close_episode(
        self, episode: int, restarted: TestState | None, actor: str, reason: str, at: datetime
    ) -> Episode:
        """A person ends it: state, the family's test begun anew, event and audit row in one transaction.

        restarted: the champion's test of the family as it begins anew, its `restarts` one more than the stored one's;
        None: that test has not alarmed. Raises BadInputError when there is no such open episode, TemporaryError when
        the test changed meanwhile so that this no longer holds.
        """
        ...
