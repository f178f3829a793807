"""Promote: the verdict becomes the registry's truth, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.champion import load_version
from daemon.context import Context
from daemon.errors import BadInputError, ChampionMoved
from daemon.learn.attempts import learner_of
from daemon.learn.learning import Challenge
from daemon.learn.settling import settle
from daemon.model import AuditRow, VersionRecord
from daemon.promote.verdict import Verdict
from daemon.reembed.following import start_encoder_of
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


def approve(context: Context, version_id: str, actor: str, reason: str) -> AuditRow:
    """A person lets a version that waits, or still judges in the shadow, come into force.

    Raises BadInputError when it does not wait or holds forgotten samples, CorruptArtifact, ChampionMoved when it was
    compared with another champion than that in force.
    """
    version = context.registry.version(version_id)
    if version.state in ("waiting", "shadow"):
        _check_forgotten(context, version, allowed=False)
        load_version(context.registry, version)  # refuse a damaged one first
    try:
        row = context.registry.approve(version_id, actor=actor, reason=reason, at=context.clock.now())
    except ChampionMoved as error:
        raise ChampionMoved(
            f"{version_id} was compared with another champion: {error}; `sidwatch models reject` puts it away"
        ) from error
    return row


def reject_by_hand(context: Context, version_id: str, actor: str, reason: str) -> AuditRow:
    """A person turns a version that waits down. Raises BadInputError when it does not wait."""
    return context.registry.refuse(version_id, actor=actor, reason=reason, at=context.clock.now())


def promote_by_hand(
    context: Context, version_id: str, actor: str, reason: str, *, with_forgotten: bool = False
) -> AuditRow:
    """A person makes a version the champion; the gate's verdict stays as it is. Raises as `roll_back`."""
    champion = context.registry.champion()
    if champion is not None and champion.id == version_id:
        raise BadInputError(f"{version_id} is the champion already")
    target = context.registry.version(version_id)
    return replace_champion(context, target, champion, actor, reason, "promote", with_forgotten=with_forgotten)


def roll_back(context: Context, actor: str, reason: str, *, with_forgotten: bool = False) -> AuditRow:
    """Bring the previous champion back.

    with_forgotten: even if it was solved from samples that somebody had forgotten since; only a person may say so.
    Raises BadInputError when there is none, when it holds such samples, or when its encoder's vectors are gone.
    """
    champion, previous = context.registry.champion(), context.registry.previous()
    if champion is None or previous is None:
        raise BadInputError("there is no previous champion to go back to; `sidwatch models list` shows the versions")
    return replace_champion(context, previous, champion, actor, reason, "rollback", with_forgotten=with_forgotten)


def check_vectors(context: Context, version: VersionRecord) -> None:
    """Raises BadInputError when there is no vector of the version's encoder, so that nothing can be said by it."""
    if not context.migrations.encoders().get(version.fingerprint, 0):
        raise BadInputError(
            f"{version.id} belongs to encoder {version.fingerprint[:12]}, whose vectors are not or no longer kept; "
            "`sidwatch reembed` makes them anew"
        )


def _check_way(context: Context, target: VersionRecord) -> None:
    """Whether the service can go on with a version of another encoder. Raises BadInputError, ConfigurationError."""
    check_vectors(context, target)
    start_encoder_of(context, target.fingerprint)  # a service that cannot start it would judge nothing any more


def _check_forgotten(context: Context, target: VersionRecord, allowed: bool) -> int:
    """How many samples the version was solved from and somebody had forgotten since. Raises BadInputError."""
    held = context.samples.forgotten_in(target.fingerprint, target.statistics_revision)
    if held and not allowed:
        raise BadInputError(
            f"{target.id} was solved from {held} samples that were forgotten since; `sidwatch update` makes a version "
            "without them, --with-forgotten brings this one back all the same and says so in the audit"
        )
    return held


def replace_champion(
    context: Context,
    target: VersionRecord,
    champion: VersionRecord | None,
    actor: str,
    reason: str,
    action: str,
    *,
    with_forgotten: bool = False,
    noted: Mapping[str, object] = MappingProxyType({}),
) -> AuditRow:
    """Another version than the one in force, outside the gate; audited as `action`, with what is noted beside.

    Raises CorruptArtifact, BadInputError when the service could not go on with it or it was solved from samples that
    were forgotten since, ChampionMoved.
    """
    held = _check_forgotten(context, target, with_forgotten)
    if champion is not None and target.fingerprint != champion.fingerprint:
        _check_way(context, target)
    context.registry.artifact(target.id)  # refuse a damaged one before anything changes
    return context.registry.promote(
        target.id,
        expected=champion.id if champion else None,
        actor=actor,
        reason=reason,
        verdict=target.verdict,
        at=context.clock.now(),
        action=action,
        more={**noted, **({"holds_forgotten": held} if held else {})},
    )
