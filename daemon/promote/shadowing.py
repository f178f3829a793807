"""Shadow: what the gate lets pass first judges live pictures beside the champion; then the gate is asked again.

Everything is derived from the registry, the audit and the stored scores, so a restart goes on where it was.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime

import structlog

from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.drift.standing import pipeline_fault_stands
from daemon.errors import CorruptArtifact
from daemon.evaluate.material import comparable_vectors
from daemon.learn.attempts import subject_of
from daemon.learn.learning import Challenge
from daemon.model import PROFILES, LabelledVectors, VersionRecord
from daemon.promote.judging import judge
from daemon.promote.promoting import carry_out
from daemon.promote.verdict import Verdict
from daemon.promote.watching import Watched, compare_versions, live_rows
from daemon.registry.shadows import Shadow, shadows

log = structlog.get_logger("sidwatch.shadow")


def judge_in_shadow(context: Context) -> int:
    """Score the live labelled pictures that the champion has scored since, by every version in the shadow.

    A picture whose label comes late is scored when it comes: no such version ever learns it. Returns how many.
    """
    done = 0
    for shadow in shadows(context.samples, context.registry, context.settings.promotion):
        champion = context.registry.champion()
        if champion is None or shadow.champion != champion.id:
            continue
        version = _loaded(context, shadow.version)
        if version is None:
            continue
        for profile in reversed(PROFILES):  # raw last: its rows are what counts as judged
            rows = comparable_vectors(context, champion.fingerprint, profile).without(context.samples.untrusted())
            before = {row.sample_id for row in context.samples.scored_rows(shadow.version, profile)}
            scored = {row.sample_id for row in context.samples.scored_rows(champion.id, profile)}
            fresh = _later(rows, shadow.since)
            fresh = fresh.take([i for i, s in enumerate(fresh.sample_ids.tolist()) if s in scored and s not in before])
            if len(fresh):
                ids = fresh.sample_ids.tolist()
                learned = version.learned(fresh.learned_revision)
                logits = version.artifact.head.scores(fresh.vectors)
                context.samples.add_scores(shadow.version, profile, ids, logits, learned, context.clock.now())
        done += len(fresh)
    return done


def end_shadow(context: Context) -> tuple[str, str] | None:
    """Ask the gate again about the first version whose time in the shadow is over; (version, what became of it).

    Not while a pipeline fault stands: what came in since is then no evidence.
    """
    if pipeline_fault_stands(context):
        return None
    now = context.clock.now()
    for shadow in shadows(context.samples, context.registry, context.settings.promotion):
        champion = context.champion.get()
        assert champion is not None  # only a challenger to one goes into the shadow
        record = context.registry.version(shadow.version)
        obstacle = _obstacle(context, record, champion)
        if obstacle is None and not shadow.over(now):
            continue
        if obstacle is not None:
            kept = {key: value for key, value in (record.verdict or {}).items() if key != "trigger_groups"}
            # No attempt of the policy any more: what it was made for may be tried again at once.
            was_for = (record.verdict or {}).get("trigger_groups")
            evidence = {**kept, "decision": "hold", "reason": obstacle, "learned": [], "was_for": was_for}
            context.registry.record_verdict(record.id, "held", evidence, "gate", obstacle, now)
            return record.id, "hold"
        return record.id, _ask_again(context, shadow, load_version(context.registry, record), champion)
    return None


def _ask_again(context: Context, shadow: Shadow, version: LoadedVersion, champion: LoadedVersion) -> str:
    before = version.record.verdict or {}
    stated = before.get("trigger_groups")
    groups = {str(key): int(n) for key, n in stated.items()} if isinstance(stated, dict) else {}
    triggers = tuple(sorted({subject_of(champion.present(key)) for key in groups}))
    noted = {"votes": before["votes"]} if "votes" in before else {}  # of a recalibration
    challenge = Challenge(version, champion, triggers, groups, noted)
    verdict = judge(context, challenge)
    rows = live_rows(context, champion.record.fingerprint, shadow.since, context.settings.promotion.shadow_samples)
    live = compare_versions(context, version, champion, rows) if len(rows) else None
    if live is not None and live.worse:
        reason = f"in the shadow proved worse than {champion.record.id} on live pictures: {_shown(live)}"
        verdict = replace(verdict, decision="reject", reason=reason, learned=(), harm=True)
    return carry_out(context, challenge, _after_shadow(verdict, shadow, live), _noted(shadow, live, before))


def _after_shadow(verdict: Verdict, shadow: Shadow, live: Watched | None) -> Verdict:
    seen = f"{shadow.samples} live pictures in the shadow" + (f" ({_shown(live)})" if live is not None else "")
    return replace(verdict, reason=f"after {seen}: {verdict.reason}")


def _noted(shadow: Shadow, live: Watched | None, before: dict[str, object]) -> dict[str, object]:
    """What the verdict keeps of the time in the shadow."""
    return {
        "shadow": {
            "since": shadow.since.isoformat(),
            "until": shadow.until.isoformat(),
            "samples": shadow.samples,
            "live": None if live is None else asdict(live),
            "before": {"decision": before.get("decision"), "reason": before.get("reason")},
        }
    }


def _shown(live: Watched) -> str:
    return (
        f"evidence of being worse 10^{live.log10_evidence:.1f} of 10^{live.log10_alarm:.1f}, {live.fakes} groups of "
        f"fakes, {live.reals} of reals"
    )


def _obstacle(context: Context, record: VersionRecord, champion: LoadedVersion) -> str | None:
    """Why a version cannot come into force any more, whatever the gate would say."""
    if record.parent != champion.record.id:
        return f"it was compared with {record.parent}, and {champion.record.id} is in force by now"
    held = context.samples.forgotten_in(record.fingerprint, record.statistics_revision)
    before = context.samples.forgotten_in(champion.record.fingerprint, champion.record.statistics_revision)
    if (held > 0 and before == 0) or held > before:
        return f"it was solved from {held} samples that were forgotten since"
    return None if _loaded(context, record.id) is not None else "its files are damaged"


def _loaded(context: Context, version: str) -> LoadedVersion | None:
    try:
        return load_version(context.registry, context.registry.version(version))
    except CorruptArtifact as error:
        log.warning("a version in the shadow is damaged", version=version, error=str(error))
        return None


def _later(rows: LabelledVectors, since: datetime) -> LabelledVectors:
    return rows.take([i for i, at in enumerate(rows.delivered_at) if at > since])
