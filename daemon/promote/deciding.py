"""What a person decides of a version, and the watch with the same means: each decision is one transaction.

Imports nothing that computes: a rollback by hand must not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.errors import BadInputError, ChampionMoved
from daemon.model import AuditRow, VersionRecord
from daemon.reembed.following import start_encoder_of
from daemon.store_context import StoreContext


def approve(context: StoreContext, version_id: str, actor: str, reason: str) -> AuditRow:
    """A person lets a version that waits, or still judges in the shadow, come into force.

    Raises BadInputError when it does not wait or holds forgotten samples, CorruptArtifact, ChampionMoved when it was
    compared with another champion than that in force.
    """
    version = context.registry.version(version_id)
    if version.state in ("waiting", "shadow"):
        _check_forgotten(context, version, allowed=False)
        from daemon.champion import load_version  # here: it brings what computes, and a rollback does without

        load_version(context.registry, version)  # refuse a damaged one first
    try:
        row = context.registry.approve(version_id, actor=actor, reason=reason, at=context.clock.now())
    except ChampionMoved as error:
        raise ChampionMoved(
            f"{version_id} was compared with another champion: {error}; `sidwatch models reject` puts it away"
        ) from error
    return row


def reject_by_hand(context: StoreContext, version_id: str, actor: str, reason: str) -> AuditRow:
    """A person turns a version that waits down. Raises BadInputError when it does not wait."""
    return context.registry.refuse(version_id, actor=actor, reason=reason, at=context.clock.now())


def promote_by_hand(
    context: StoreContext, version_id: str, actor: str, reason: str, *, with_forgotten: bool = False
) -> AuditRow:
    """A person makes a version the champion; the gate's verdict stays as it is. Raises as `roll_back`."""
    champion = context.registry.champion()
    if champion is not None and champion.id == version_id:
        raise BadInputError(f"{version_id} is the champion already")
    target = context.registry.version(version_id)
    return replace_champion(context, target, champion, actor, reason, "promote", with_forgotten=with_forgotten)


def roll_back(context: StoreContext, actor: str, reason: str, *, with_forgotten: bool = False) -> AuditRow:
    """Bring the previous champion back.

    with_forgotten: even if it was solved from samples that somebody had forgotten since; only a person may say so.
    Raises BadInputError when there is none, when it holds such samples, or when its encoder's vectors are gone.
    """
    champion, previous = context.registry.champion(), context.registry.previous()
    if champion is None or previous is None:
        raise BadInputError("there is no previous champion to go back to; `sidwatch models list` shows the versions")
    return replace_champion(context, previous, champion, actor, reason, "rollback", with_forgotten=with_forgotten)


def check_vectors(context: StoreContext, version: VersionRecord) -> None:
    """Raises BadInputError when there is no vector of the version's encoder, so that nothing can be said by it."""
    if not context.migrations.encoders().get(version.fingerprint, 0):
        raise BadInputError(
            f"{version.id} belongs to encoder {version.fingerprint[:12]}, whose vectors are not or no longer kept; "
            "`sidwatch reembed` makes them anew"
        )


def _check_way(context: StoreContext, target: VersionRecord) -> None:
    """Whether the service can go on with a version of another encoder. Raises BadInputError, ConfigurationError."""
    check_vectors(context, target)
    start_encoder_of(context, target.fingerprint)  # a service that cannot start it would judge nothing any more


def _check_forgotten(context: StoreContext, target: VersionRecord, allowed: bool) -> int:
    """How many samples the version was solved from and somebody had forgotten since. Raises BadInputError."""
    held = context.samples.forgotten_in(target.fingerprint, target.statistics_revision)
    if held and not allowed:
        raise BadInputError(
            f"{target.id} was solved from {held} samples that were forgotten since; `sidwatch update` makes a version "
            "without them, --with-forgotten brings this one back all the same and says so in the audit"
        )
    return held


def replace_champion(
    context: StoreContext,
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
