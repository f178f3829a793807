"""Saved figures: of which versions and windows they are, and what they say of all families together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from daemon.model import FEEDBACK, EvaluationRow, Profile, Subject, VersionRecord
from daemon.ports import Registry

HELD_OUT = "held_out"  # every picture, scored by a head that has not learned it
LEFT_OUT = "left_out"  # a real source, scored by a head solved without the whole source
PREQUENTIAL = "prequential"  # pictures that the version scored first, as champion, before any head learned from them

SHADOW = "shadow"  # the same pictures by two encoders, measured once by a migration, beside everything else


def latest_challenger(registry: Registry, champion: VersionRecord) -> VersionRecord | None:
    """The newest version that the gate compared with this champion and that did not come into force."""
    judged = [
        v
        for v in registry.outlines()
        if v.parent == champion.id and v.state in ("held", "rejected", "waiting", "shadow")
    ]
    newest = max(judged, key=lambda version: version.created_at, default=None)
    return registry.version(newest.id) if newest is not None else None


@dataclass(frozen=True, slots=True)
class Summary:
    """All families and real sources of one version in one window and profile."""

    version: str
    window: str
    profile: Profile
    families: int  # behind the mean
    mean_ap: float | None  # unweighted, over families with enough pictures
    worst_family: str | None  # among those with enough pictures for that
    worst_ap: float | None
    false_positive_rate: float | None  # unweighted, over real sources with enough pictures but the reports


def summaries(rows: Iterable[EvaluationRow], min_samples: int, min_samples_worst: int) -> list[Summary]:
    """One per version, window and profile, in the rows' order.

    Families with fewer than `min_samples` pictures have no AP, real sources with fewer no rate worth the name: neither
    counts. Source: method section 2.
    """
    gathered: dict[tuple[str, str, Profile], list[EvaluationRow]] = {}
    for row in rows:
        gathered.setdefault((row.version, row.window, row.profile), []).append(row)
    return [_summary(*key, own, min_samples, min_samples_worst) for key, own in gathered.items()]


def _summary(
    version: str, window: str, profile: Profile, rows: list[EvaluationRow], min_samples: int, min_worst: int
) -> Summary:
    measured = sorted((row.ap, row.subject.name, row.n) for row in rows if row.ap is not None)
    worst = next(((ap, name) for ap, name, n in measured if n >= min_worst), (None, None))
    # People report what was called synthetic: its rate says what became of their reports, not how many photographs err.
    sources = [row for row in rows if row.subject != Subject("source", FEEDBACK) and row.n >= min_samples]
    rates = [row.false_positive_rate for row in sources if row.false_positive_rate is not None]
    return Summary(
        version=version,
        window=window,
        profile=profile,
        families=len(measured),
        mean_ap=fmean(ap for ap, _, _ in measured) if measured else None,
        worst_family=worst[1],
        worst_ap=worst[0],
        false_positive_rate=fmean(rates) if rates else None,
    )
