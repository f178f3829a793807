"""Making: a snapshot, the past and the audit become a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median

from daemon.detail.history import History
from daemon.model import AuditRow
from daemon.report.views import DecidedView, EvadedView, RateView, ReleasedView, ReportView
from daemon.status.versions import DECISIONS
from daemon.views import EpisodeView, FamilyView, Status

_SERVICE = ("gate", "watch", "service")  # actors that are no people


def report_of(status: Status, history: History, audit: Sequence[AuditRow], since: datetime) -> ReportView:
    """Put it together. history: at least since then. audit: the whole chain."""
    recent = [row for row in audit if row.at >= since]
    evaded = [_evaded(e) for e in status.episodes if e.alarmed_at >= since or _is_open(e)]
    champion = status.champion
    points = [point for point in history.mean if point.at >= since]
    return ReportView(
        since=since,
        until=status.service.now,
        simulated=status.service.simulated,
        champion=champion.id if champion else None,
        encoder=status.service.encoder,
        mean_ap_first=points[0].mean_ap if points else None,
        mean_ap=status.mean_ap.get("raw"),
        mean_ap_laundered=status.mean_ap.get("laundered"),
        worst_family=status.worst_family.get("raw"),
        worst_ap=status.worst_ap.get("raw"),
        false_positive_rate=status.real_false_positive_rate.get("raw"),
        false_positive_aim=champion.alpha if champion else None,
        released=[_released(f) for f in sorted(status.families, key=lambda f: f.first_seen) if f.first_seen >= since],
        evaded=evaded,
        votes_to_alarm=_median(one.votes for one in evaded),
        seconds_to_notice=_median(one.noticed_after for one in evaded),
        seconds_to_learn=_median(one.learned_after for one in evaded),
        seconds_to_recover=_median(one.recovered_after for one in evaded),
        decisions=[
            DecidedView(at=r.at, version=r.version, decision=DECISIONS[r.action], actor=r.actor, reason=r.reason)
            for r in recent
            if r.action in DECISIONS and r.version
        ],
        by_people=dict(sorted(Counter(row.action for row in recent if row.actor not in _SERVICE).items())),
        rates=[
            RateView(
                source=source.name,
                state=source.state,
                rate=figures.false_positive_rate if figures else None,
                lower=figures.lower if figures else None,
                upper=figures.upper if figures else None,
                n=figures.n if figures else 0,
            )
            for source in status.real_sources
            for figures in [source.profiles.get("raw")]
        ],
        risks=risks_of(status),
        history=points,
        reigns=[reign for reign in history.reigns if reign.at >= since],
    )


def risks_of(status: Status) -> list[str]:
    """What a person should know of that is not settled, the most urgent first."""
    found = []
    if status.champion is None:
        found.append("there is no champion: nothing is judged")
    for family in status.families:
        if family.state in ("evading", "inverted"):
            found.append(f"{family.name} is {family.state}: {_shown(family)}")
    found += [
        f"photographs of {s.name} are called synthetic too often" for s in status.real_sources if s.state == "misjudged"
    ]
    found += [f"{a.kind.replace('_', ' ')}: {a.text}" for a in status.alarms if a.raised_at is not None]
    found += [
        f"{family.name} is degraded: {_shown(family)}" for family in status.families if family.state == "degraded"
    ]
    if status.flapping:
        found.append(status.flapping)
    if status.encoder_notice:
        found.append(status.encoder_notice)
    few = [family.name for family in status.families if family.state == "insufficient"]
    if few:
        found.append(f"too few pictures to say anything of {len(few)} families: {', '.join(few[:8])}{_more(few)}")
    quarantined = sum(status.quarantine.values())
    if quarantined:
        found.append(f"{quarantined} samples wait in quarantine for a person's word")
    failing = [job.job for job in status.jobs if job.outcome not in (None, "ok", "skipped")]
    if failing:
        found.append(f"the last run failed of: {', '.join(failing)}")
    never = [adapter.name for adapter in status.adapters if adapter.configured and adapter.last_success_at is None]
    if never:
        found.append(f"adapters that never delivered: {', '.join(never)}")
    return found


def _shown(family: FamilyView) -> str:
    raw = family.profiles.get("raw")
    if raw is None or raw.ap is None:
        return "no figures yet"
    return f"AP {raw.ap:.3f} ({raw.ap_lower:.3f} to {raw.ap_upper:.3f}), n {raw.n}"


def _more(names: Sequence[str]) -> str:
    return " and more" if len(names) > 8 else ""


def _is_open(episode: EpisodeView) -> bool:
    return episode.state in ("alarmed", "learned")


def _released(family: FamilyView) -> ReleasedView:
    raw = family.profiles.get("raw")
    return ReleasedView(
        family=family.name,
        kind=family.kind,
        released=family.released,
        first_seen=family.first_seen,
        samples=family.samples,
        state=family.state,
        ap=raw.ap if raw else None,
        ap_lower=raw.ap_lower if raw else None,
        ap_upper=raw.ap_upper if raw else None,
    )


def _evaded(episode: EpisodeView) -> EvadedView:
    def after(moment: datetime | None) -> float | None:
        return None if moment is None else (moment - episode.alarmed_at).total_seconds()

    return EvadedView(
        episode=episode.id,
        family=episode.family,
        state=episode.state,
        alarmed_at=episode.alarmed_at,
        votes=episode.samples_to_alarm,
        noticed_after=(episode.alarmed_at - episode.opened_at).total_seconds(),
        learned_after=after(episode.learned_at),
        recovered_after=after(episode.recovered_at),
        ap_before=episode.ap_before,
        ap_after=episode.ap_after,
        version=episode.version,
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
