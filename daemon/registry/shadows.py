"""Versions in the shadow, as registry, audit and stored scores say: read without what judges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.model import AuditRow, VersionOutline, VersionRecord
from daemon.ports import Registry, SampleStore
from daemon.settings import PromotionSettings
from daemon.suspect import suspect_samples


@dataclass(frozen=True, slots=True)
class Shadow:
    """A version that judges in the shadow, and how far it is."""

    version: str
    champion: str | None  # beside which it judges
    since: datetime
    until: datetime  # when the gate is asked again at the latest
    samples: int  # labelled live pictures that it has judged
    wanted: int  # after so many the gate is asked again

    def over(self, now: datetime) -> bool:
        """Whether the gate is to be asked again."""
        return self.samples >= self.wanted or now >= self.until


def shadows(samples: SampleStore, registry: Registry, settings: PromotionSettings) -> list[Shadow]:
    """Every version that judges in the shadow, oldest first."""
    found = [version for version in registry.outlines() if version.state == "shadow"]
    audit = registry.audit(("shadow",)) if found else []
    return [_shadow(samples, version, begun_at(audit, version), settings) for version in found]


def begun_at(audit: Sequence[AuditRow], version: VersionOutline | VersionRecord) -> datetime:
    """When the gate sent a version into the shadow."""
    return next(row.at for row in reversed(audit) if row.version == version.id and row.action == "shadow")


def _shadow(samples: SampleStore, version: VersionOutline, since: datetime, settings: PromotionSettings) -> Shadow:
    suspect = suspect_samples(samples)
    rows = samples.scored_rows(version.id, "raw")
    judged = sum(row.delivered_at > since and row.sample_id not in suspect for row in rows)
    until = since + settings.shadow_for
    return Shadow(version.id, version.parent, since, until, judged, settings.shadow_samples)
