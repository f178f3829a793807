"""Figures of the past: what was measured of each family, day by day."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from daemon.model import PastFigure, Profile
from store import tables as t
from store.parts import Part


class PastFigures(Part):
    """Reads only."""

    def past_figures(self, window: str, profile: Profile, since: datetime) -> list[PastFigure]:
        """Measured families, oldest first; see `daemon.ports.SampleStore.past_figures`."""
        e = t.evaluation.c
        query = (
            select(e.version, e.subject_name, e.at, e.n, e.ap, e.ap_lower, e.ap_upper, e.recall)
            .where(e.subject_kind == "family", e.window == window, e.profile == profile, e.at >= since)
            .order_by(e.at, e.subject_name)
        )
        with self._database.read() as connection:
            return [PastFigure(*row) for row in connection.execute(query)]

    def measured_mark(self) -> tuple[int, int]:
        """What changes whenever a measurement is stored, renamed away or dropped."""
        e = t.evaluation.c
        with self._database.read() as connection:
            row = connection.execute(select(func.coalesce(func.max(e.id), 0), func.count(e.id))).one()
            return int(row[0]), int(row[1])
