"""Figures of the past: what was measured of each family, day by day."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from daemon.model import PastFigure, PastMean, Profile
from store import tables as t
from store.parts import Part


class PastFigures(Part):
    """Reads only. Versions are named in every question: their rows are found by the index, the rest is passed over."""

    def past_figures(
        self, window: str, profile: Profile, since: datetime, *, versions: Collection[str], families: Collection[str]
    ) -> list[PastFigure]:
        """Measured families, oldest first; see `daemon.ports.SampleStore.past_figures`."""
        e = t.evaluation.c
        query = (
            select(e.version, e.subject_name, e.at, e.n, e.ap, e.ap_lower, e.ap_upper, e.recall)
            .where(*_measured(window, profile, since, versions), e.subject_name.in_(families))
            .order_by(e.at, e.subject_name)
        )
        with self._database.read() as connection:
            return [PastFigure(*row) for row in connection.execute(query)]

    def past_means(
        self, window: str, profile: Profile, since: datetime, *, versions: Collection[str]
    ) -> list[PastMean]:
        """All families together, oldest first; see `daemon.ports.SampleStore.past_means`."""
        e = t.evaluation.c
        query = (
            select(e.version, e.at, func.avg(e.ap), func.min(e.ap), func.count(e.ap))
            # Names make the index find the rows of this window; without them it walks over those of every window.
            .where(*_measured(window, profile, since, versions), e.subject_name.in_(select(t.family.c.name)))
            .where(e.ap.is_not(None))
            .group_by(e.version, e.at)
            .order_by(e.at, e.version)
        )
        with self._database.read() as connection:
            return [PastMean(*row) for row in connection.execute(query)]

    def measured_mark(self) -> int:
        """What changes whenever a measurement is stored; see `daemon.ports.SampleStore.measured_mark`."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.coalesce(func.max(t.evaluation.c.id), 0))).scalar_one())


def _measured(
    window: str, profile: Profile, since: datetime, versions: Collection[str]
) -> tuple[ColumnElement[bool], ...]:
    e = t.evaluation.c
    return (
        e.version.in_(versions),
        e.subject_kind == "family",
        e.window == window,
        e.profile == profile,
        e.at >= since,
    )
