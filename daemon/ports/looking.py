"""What people look at: families, counts, queues, figures over time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from daemon.model import AdapterRow, FamilyFlags, FamilyRow, PastFigure, PastMean, Profile, Split, Subject


class OverviewStore(Protocol):
    """What people look at: families, counts, queues, figures over time."""

    def subjects(self) -> list[FamilyRow]: ...
    def family_flags(self) -> dict[Subject, FamilyFlags]:
        """Of every family in `subjects`; nothing is counted, so that it costs next to nothing."""
        ...

    def group_counts(
        self, *, split: Split | None = None, subjects: Collection[Subject] | None = None
    ) -> dict[Subject, int]:
        """How many groups each family and real source has, on one side of the split or on all; those that have any."""
        ...

    def adapters(self) -> list[AdapterRow]: ...
    def queue(self, fingerprint: str) -> dict[str, tuple[int, datetime | None]]:
        """Stage (embed, score) -> how many samples wait and since when the oldest."""
        ...

    def quarantine_counts(self) -> dict[str, int]:
        """Reason -> quarantined samples."""
        ...

    def sample_counts(self) -> dict[str, int]:
        """active, quarantined, total."""
        ...

    def past_figures(
        self, window: str, profile: Profile, since: datetime, *, versions: Collection[str], families: Collection[str]
    ) -> list[PastFigure]:
        """What these versions' measurements since then said of these families, oldest first."""
        ...

    def past_means(
        self, window: str, profile: Profile, since: datetime, *, versions: Collection[str]
    ) -> list[PastMean]:
        """What each of these versions' measurements since then said of all families together, oldest first."""
        ...

    def measured_mark(self) -> int:
        """A number that changes whenever a measurement is stored; where one is dropped, `label_revision` changes."""
        ...
