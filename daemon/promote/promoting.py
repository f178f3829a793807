"""Promote: the verdict becomes the registry's truth, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.context import Context
from daemon.learn.attempts import learner_of
from daemon.learn.learning import Challenge
from daemon.learn.settling import settle
from daemon.promote.verdict import Verdict
from daemon.registry.approval import person_decides

STATE_OF = {"hold": "held", "reject": "rejected"}


def promote(context: Context, challenge: Challenge, verdict: Verdict) -> str:
    """Carry the verdict out: a new champion, or a challenger that is kept with the reason why it is not, or waits.

    Returns what became of it: promote, hold, reject, wait (for a person), or shadow (live pictures come first).
    Raises ChampionMoved when a person changed the champion meanwhile; the next cycle decides anew.
    """
    if (
        verdict.decision == "promote"
        and challenge.champion is not None
        and context.settings.promotion.mode == "shadow"
        and _waits_because(context) is None
    ):
        settings, version = context.settings.promotion, challenge.version.record
        days = settings.shadow_for.total_seconds() / 86400
        reason = f"{verdict.reason}; first in the shadow for {settings.shadow_samples} live pictures or {days:g} days"
        evidence = _evidence(challenge, verdict)
        context.registry.record_verdict(version.id, "shadow", evidence, "gate", reason, context.clock.now())
        return "shadow"
    return carry_out(context, challenge, verdict, {})


def carry_out(context: Context, challenge: Challenge, verdict: Verdict, more: Mapping[str, object]) -> str:
    """Carry a verdict out, with nothing in between any more; more: what the verdict keeps beside its own."""
    version = challenge.version.record
    evidence = {**_evidence(challenge, verdict), **more}
    now = context.clock.now()
    why = _waits_because(context) if challenge.champion is not None else None
    if verdict.decision == "promote" and why is not None:
        reason = f"{verdict.reason}; {why}: `sidwatch models approve {version.id}` or `reject`"
        context.registry.record_verdict(version.id, "waiting", evidence, "gate", reason, now)
        return "wait"
    if verdict.decision == "promote":
        expected = challenge.champion.record.id if challenge.champion else None
        context.registry.promote(
            version.id, expected=expected, actor="gate", reason=verdict.reason, verdict=evidence, at=now
        )
        settle(context)
        return verdict.decision
    state = STATE_OF[verdict.decision]
    context.registry.record_verdict(version.id, state, evidence, "gate", verdict.reason, now)
    return verdict.decision


def _evidence(challenge: Challenge, verdict: Verdict) -> dict[str, object]:
    return {
        **verdict.to_dict(),
        **challenge.noted,
        "trigger_groups": challenge.trigger_groups,
        "learner": learner_of(challenge.version),
    }


def _waits_because(context: Context) -> str | None:
    return person_decides(context.registry.audit, context.clock.now(), context.settings.promotion)
