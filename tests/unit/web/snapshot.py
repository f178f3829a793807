"""A made-up snapshot: a service that has learned one family, is being evaded by another, and works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from daemon.views import (
    AdapterView,
    ChampionView,
    DecisionView,
    EpisodeView,
    EventView,
    FamilyFigures,
    FamilyView,
    JobView,
    QueueView,
    ScoreView,
    ServiceView,
    SourceFigures,
    SourceView,
    Status,
    VersionView,
)

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def family_figures(ap: float | None, recall: float | None, n: int) -> FamilyFigures:
    half = 0.5 / max(n, 4) ** 0.5

    def around(value: float | None) -> tuple[float | None, float | None, float | None]:
        return (None, None, None) if value is None else (value, max(0.0, value - half), min(1.0, value + half / 2))

    value, lower, upper = around(ap)
    auroc, auroc_lower, auroc_upper = around(None if ap is None else min(1.0, ap + 0.01))
    called, called_lower, called_upper = around(recall)
    return FamilyFigures(
        ap=value,
        ap_lower=lower,
        ap_upper=upper,
        approximate=n < 100,
        auroc=auroc,
        auroc_lower=auroc_lower,
        auroc_upper=auroc_upper,
        recall=called,
        recall_lower=called_lower,
        recall_upper=called_upper,
        n=n,
    )


def family(
    name: str, state: str, ap: float | None = 0.97, recall: float | None = 0.82, n: int = 120, age_days: float = 30
) -> FamilyView:
    laundered = family_figures(None if ap is None else ap - 0.06, None if recall is None else recall * 0.7, n)
    return FamilyView.model_validate(
        {
            "name": name,
            "kind": "diffusion",
            "released": "2025-11",
            "state": state,
            "samples": n * 2,
            "first_seen": NOW - timedelta(days=age_days),
            "last_sample_at": NOW - timedelta(minutes=7 + age_days),
            "evidence_log10": {"evading": 3.4, "inverted": 6.1, "insufficient": None}.get(state, -0.4),
            "alarm_log10": None if state == "insufficient" else 2.0,
            "votes": n // 2,
            "profiles": {"raw": family_figures(ap, recall, n), "laundered": laundered},
        }
    )


def source(name: str, state: str = "ok", rate: float | None = 0.05, n: int = 150) -> SourceView:
    figures = SourceFigures(
        false_positive_rate=rate,
        lower=None if rate is None else max(0.0, rate - 0.04),
        upper=None if rate is None else min(1.0, rate + 0.05),
        left_out=None if rate is None else rate + 0.01,
        n=n,
    )
    return SourceView.model_validate(
        {
            "name": name,
            "trust": "trusted",
            "state": state,
            "samples": n,
            "last_sample_at": NOW - timedelta(hours=5),
            "evidence_log10": 2.7 if state == "misjudged" else 0.3,
            "alarm_log10": 2.0,
            "profiles": {"raw": figures, "laundered": figures},
        }
    )


def status(**changes: object) -> Status:
    """The whole snapshot; changes replace its fields."""
    snapshot = Status(
        service=ServiceView(
            version="0.1.0",
            state="ready",
            now=NOW,
            simulated=False,
            encoder="forensic",
            fingerprint="forensic-3f1c9a20",
            prevalence=0.5,
        ),
        champion=ChampionView(
            id="v0003-9c41d2aa",
            learner="mixture",
            promoted_at=NOW - timedelta(days=2),
            thresholds={"raw": 1.42, "laundered": 1.77},
            threshold_method="left_out_source",
            alpha=0.05,
            families=7,
            sources=4,
        ),
        mean_ap={"raw": 0.931, "laundered": 0.862},
        worst_ap={"raw": 0.583, "laundered": 0.523},
        worst_family={"raw": "aurora_v2", "laundered": "aurora_v2"},
        real_false_positive_rate={"raw": 0.058, "laundered": 0.061},
        families=[
            family("progan", "detected", 0.996, 0.97, 160, 400),
            family("stylegan2", "detected", 0.981, 0.9, 150, 380),
            family("stable_diffusion_1_4", "detected", 0.974, 0.84, 118, 90),
            family("dalle_2", "detected", 0.962, 0.79, 86, 80),
            family("midjourney_v5", "degraded", 0.903, 0.61, 140, 60),
            family("flux_1_dev", "detected", 0.957, 0.77, 64, 9),
            family("aurora_v2", "evading", 0.583, 0.06, 34, 1),
            family("glimmer_xl", "insufficient", None, None, 6, 0.2),
        ],
        real_sources=[
            source("flickr30k"),
            source("raise_1k", rate=0.03),
            source("kodak", "misjudged", 0.29, 24),
            source("phone_uploads", "insufficient", None, 4),
        ],
        episodes=[
            EpisodeView(
                family="aurora_v2",
                state="alarmed",
                opened_at=NOW - timedelta(hours=9),
                alarmed_at=NOW - timedelta(hours=3),
                samples_to_alarm=14,
                ap_before=0.583,
                champion="v0003-9c41d2aa",
                version=None,
                learned_at=None,
                ap_after=None,
                samples_after=0,
                recovered_at=None,
                recovered=False,
                note="held: superiority not shown yet (lower bound -.01)",
            ),
            EpisodeView(
                family="flux_1_dev",
                state="recovered",
                opened_at=NOW - timedelta(days=3),
                alarmed_at=NOW - timedelta(days=2, hours=8),
                samples_to_alarm=12,
                ap_before=0.612,
                champion="v0002-51b07e3f",
                version="v0003-9c41d2aa",
                learned_at=NOW - timedelta(days=2),
                ap_after=0.957,
                samples_after=52,
                recovered_at=NOW - timedelta(days=1),
                recovered=True,
                note="",
            ),
        ],
        versions=[
            version(
                "v0004-07de55b1", "challenger", "v0003-9c41d2aa", 0.1, "held: aurora_v2 undecided after 34 samples"
            ),
            version("v0003-9c41d2aa", "champion", "v0002-51b07e3f", 2, "flux_1_dev: AP .612 to .957, nothing worse"),
            version("v0002-51b07e3f", "previous", "v0001-e2a9c684", 40, "stable_diffusion_1_4: AP .55 to .96"),
            version("v0001-e2a9c684", "", None, 90, "first version"),
        ],
        decisions=[
            decision("v0004-07de55b1", "held", 0.1, "aurora_v2 undecided: lower bound of the gain -.01"),
            decision("v0003-9c41d2aa", "promoted", 2, "flux_1_dev: AP .612 to .957, nothing worse"),
            decision("v0002-51b07e3f", "promoted", 40, "stable_diffusion_1_4: AP .55 to .96"),
            decision("v0001-e2a9c684", "promoted", 90, "first version"),
        ],
        decision_counts={"promoted": 3, "held": 1},
        queue=[
            QueueView(stage="embed", samples=48, oldest=NOW - timedelta(seconds=75)),
            QueueView(stage="score", samples=0, oldest=None),
        ],
        quarantine={"label_conflict": 3, "encoding_failed": 1},
        samples={"total": 2767, "active": 2763, "quarantined": 4},
        adapters=[
            AdapterView(
                name="inbox",
                kind="folder",
                configured=True,
                interval_seconds=60.0,
                last_success_at=NOW - timedelta(seconds=31),
                cursor=None,
                stored=1904,
                rejected={"corrupt": 2, "too_small": 11},
                quarantined={"label_conflict": 3},
            ),
            AdapterView(
                name="partner_feed",
                kind="manifest",
                configured=True,
                interval_seconds=3600.0,
                last_success_at=None,
                cursor=None,
                stored=863,
                rejected={},
                quarantined={"encoding_failed": 1},
            ),
        ],
        jobs=[
            job("cycle", "finished", "ok", 20, "48 samples embedded"),
            job("poll:inbox", "finished", "ok", 31, "3 stored, 1 repeated"),
            job("poll:partner_feed", "finished", "failed", 1900, "the manifest has no column 'label'"),
        ],
        events=[
            event("update_held", 140, "v0004-07de55b1 held: aurora_v2 undecided after 34 samples"),
            event("family_evades", 180, "aurora_v2 evades v0003-9c41d2aa: 2 of 34 samples found, AP .583"),
            event("family_recovered", 1440, "flux_1_dev recovered: AP .957 over 52 later samples"),
            event("champion_promoted", 2880, "v0003-9c41d2aa promoted: flux_1_dev AP .612 to .957"),
        ],
    )
    return Status.model_validate({**{name: getattr(snapshot, name) for name in Status.model_fields}, **changes})


def empty_status() -> Status:
    """A service that has just been started for the first time."""
    nothing = dict.fromkeys(("raw", "laundered"))
    return status(
        champion=None,
        mean_ap=nothing,
        worst_ap=nothing,
        worst_family=nothing,
        real_false_positive_rate=nothing,
        samples={"total": 0, "active": 0, "quarantined": 0},
        quarantine={},
        **{
            name: []
            for name in (
                "families",
                "real_sources",
                "episodes",
                "versions",
                "decisions",
                "queue",
                "adapters",
                "jobs",
                "events",
            )
        },
    )


def version(id_: str, role: str, parent: str | None, days: float, reason: str) -> VersionView:
    return VersionView.model_validate(
        {
            "id": id_,
            "role": role,
            "state": "held" if role == "challenger" else "promoted",
            "parent": parent,
            "learner": "mixture",
            "created_at": NOW - timedelta(days=days),
            "encoder": "forensic-3f1c9a20",
            "reason": reason,
        }
    )


def decision(version_id: str, decided: str, days: float, reason: str) -> DecisionView:
    return DecisionView.model_validate(
        {
            "version": version_id,
            "decision": decided,
            "reason": reason,
            "at": NOW - timedelta(days=days),
            "actor": "gate",
        }
    )


def job(name: str, state: str, outcome: str | None, seconds: float, detail: str) -> JobView:
    at = NOW - timedelta(seconds=seconds)
    return JobView(job=name, state=state, outcome=outcome, due_at=at, finished_at=at, detail=detail)


def event(kind: str, minutes: float, text: str) -> EventView:
    return EventView(kind=kind, at=NOW - timedelta(minutes=minutes), text=text)


def score() -> ScoreView:
    return ScoreView(
        sha256="0" * 64,
        probability=0.97,
        logit=3.5,
        threshold=1.42,
        verdict="synthetic",
        family="flux_1_dev",
        nearest_real_source="flickr30k",
        version="v0003-9c41d2aa",
    )
