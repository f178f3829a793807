"""What the `episodes` commands do; printing is theirs.

Each change is one transaction, so it needs no lock and may happen beside a running service, whose next cycle is
asked for at once so that page and metrics show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from daemon.app import is_running, open_for, opened, read_status
from daemon.context import Context
from daemon.episodes.snoozing import snoozed_until
from daemon.episodes.timeline import timeline
from daemon.errors import NotFoundError, TemporaryError
from daemon.model import OPEN_STATES, Episode, Subject
from daemon.runs import tick
from daemon.settings import Settings
from daemon.status.episodes import episode_view
from daemon.views import EpisodeView

_EVIDENCE = ("version", "log10_evidence", "log10_alarm", "votes", "alarmed_at", "restarts")
_ATTEMPTS = 3  # a cycle may judge the family between reading and writing


def listed(settings: Settings, *, every: bool) -> list[EpisodeView]:
    """The open episodes, or every one, oldest first."""
    return [episode for episode in read_status(settings).episodes if every or episode.state in OPEN_STATES]


def described(settings: Settings, name: str) -> dict[str, Any]:
    """One episode with its timeline, and the family's tests against the version that it evaded and the champion."""
    now = read_status(settings).service.now
    with open_for(settings, read_only=True) as store:
        samples, registry = store.samples, store.registry
        found = named(samples.episodes(), name)
        entries = timeline(found, registry.audit(), registry.versions(), samples.events_since(found.opened_at))
        champion = registry.champion()
        tests = [
            test
            for version in dict.fromkeys((found.champion, *([champion.id] if champion else [])))
            for test in samples.test_states(version)
            if test.subject == Subject("family", found.family)
        ]
    return {
        "episode": episode_view(found, now).model_dump(mode="json"),
        "timeline": [{**asdict(entry), "at": entry.at.isoformat()} for entry in entries],
        "tests": [{name: getattr(test, name) for name in _EVIDENCE} for test in tests],
    }


def acknowledge(settings: Settings, name: str, actor: str, reason: str) -> Episode:
    """Somebody is on it."""

    def change(context: Context, episode: int) -> Episode:
        return context.samples.acknowledge_episode(episode, actor, reason, context.clock.now())

    return _change(settings, name, change)


def snooze(settings: Settings, name: str, length: timedelta, actor: str, reason: str) -> Episode:
    """Nobody wants to hear of it for so long. Raises BadInputError when that is no time, or too long."""

    def change(context: Context, episode: int) -> Episode:
        now = context.clock.now()
        return context.samples.snooze_episode(episode, snoozed_until(now, length), actor, reason, now)

    return _change(settings, name, change)


def close(settings: Settings, name: str, actor: str, reason: str) -> Episode:
    """A person ends it; the family's test begins anew when it stands alarmed."""
    from daemon.drift.restart import begun_anew  # numpy: reading commands do without

    def change(context: Context, episode: int) -> Episode:
        family = named(context.samples.episodes(), str(episode)).family
        restarted = begun_anew(context, family)
        return context.samples.close_episode(episode, restarted, actor, reason, context.clock.now())

    return _change(settings, name, change)


def named(episodes: Sequence[Episode], name: str) -> Episode:
    """The episode of that number, or the last one of that family. Raises BadInputError."""
    found = [episode for episode in episodes if name in (str(episode.id), episode.family)]
    if not found:
        raise NotFoundError(f"there is no episode {name!r}; `sidwatch episodes list --all` shows numbers and families")
    return found[-1]


def _change(settings: Settings, name: str, change: Callable[[Context, int], Episode]) -> Episode:
    with opened(settings, encoder=False, lock=False) as state:
        number = named(state.context.samples.episodes(), name).id
        assert number is not None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                after = change(state.context, number)
                break
            except TemporaryError:
                if attempt == _ATTEMPTS:
                    raise
        if is_running(settings):
            tick(state.context, "cycle")
        return after
