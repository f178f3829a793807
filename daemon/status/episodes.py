"""Episodes as people see them."""

from __future__ import annotations

from datetime import datetime

from daemon import views
from daemon.model import Episode


def episode_view(episode: Episode, now: datetime) -> views.EpisodeView:
    """An episode as people see it at `now`."""
    return views.EpisodeView(
        id=episode.id,
        family=episode.family,
        state=episode.state,
        opened_at=episode.opened_at,
        alarmed_at=episode.alarmed_at,
        samples_to_alarm=episode.samples_to_alarm,
        ap_before=episode.ap_before,
        champion=episode.champion,
        version=episode.version,
        learned_at=episode.learned_at,
        ap_after=episode.ap_after,
        samples_after=episode.samples_after,
        recovered_at=episode.recovered_at,
        recovered=episode.recovered_at is not None,
        note=episode.note,
        handling=episode.handling(now),
        acknowledged_at=episode.acknowledged_at,
        acknowledged_by=episode.acknowledged_by,
        snoozed_until=episode.snoozed_until,
        closed_at=episode.closed_at,
        seconds_to_detect=_seconds(episode.opened_at, episode.alarmed_at),
        seconds_to_learn=_seconds(episode.alarmed_at, episode.learned_at),
        seconds_to_recover=_seconds(episode.alarmed_at, episode.recovered_at),
    )


def _seconds(begin: datetime, end: datetime | None) -> float | None:
    return None if end is None else max(0.0, (end - begin).total_seconds())
