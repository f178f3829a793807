"""The previous version comes back by itself: when the champion is damaged, and when it is proved worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import structlog

from daemon.champion import load_version
from daemon.context import Context
from daemon.errors import BadInputError, ChampionMoved, CorruptArtifact
from daemon.learn.settling import settle
from daemon.model import AuditRow, Event, VersionRecord
from daemon.promote.deciding import replace_champion
from daemon.promote.watching import watched
from daemon.registry.flapping import WATCH

STAYS: Final = "champion_worse"  # the event

log = structlog.get_logger("sidwatch.watch")


def return_from_damage(context: Context) -> AuditRow | None:
    """When a file of the champion is not as recorded, bring the newest whole version back that was in force before it.

    One that somebody rolled back comes only when there is no other, one that holds forgotten samples never.

    Raises CorruptArtifact, which says what to do, when there is none.
    """
    champion = context.registry.champion()
    if champion is None:
        return None
    try:
        load_version(context.registry, champion)
        return None
    except CorruptArtifact as error:
        damage = error
    target = _whole_before(context, champion)
    if target is None:
        raise CorruptArtifact(
            f"the champion {champion.id} is damaged and no whole version was in force before that holds no forgotten "
            f"sample: {damage}"
        )
    reason = f"{champion.id} is damaged: {damage}"
    try:
        return _bring_back(context, champion, target, reason, {"damaged": champion.id})
    except BadInputError as error:
        log.warning("the previous version could not be brought back", error=str(error))
        return None


def return_from_worse(context: Context) -> AuditRow | None:
    """When the champion is proved worse than the previous version on live labelled pictures, bring that one back."""
    found = watched(context)
    if found is None or not found.worse:
        return None
    champion, previous = context.registry.champion(), context.registry.previous()
    if champion is None or previous is None:
        return None
    reason = (
        f"{champion.id} is proved worse than {previous.id} on pictures since its promotion: evidence "
        f"10^{found.log10_evidence:.1f} against 10^{found.log10_alarm:.1f}, {found.fakes} groups of fakes, "
        f"{found.reals} of reals"
    )
    try:
        return _bring_back(context, champion, previous, reason)
    except BadInputError as error:  # it was solved from what somebody had forgotten since: only a person may want it
        _announce_stay(context, champion, previous, f"{reason}; it stays, for {error}")
        return None


def _announce_stay(context: Context, champion: VersionRecord, previous: VersionRecord, text: str) -> None:
    """Once for each time that the champion came into force: nothing changes, so the audit has no row to tell of."""
    number = max(row.number for row in context.registry.audit(("promote", "rollback")) if row.version == champion.id)
    data: dict[str, object] = {"version": champion.id, "previous": previous.id}
    event = Event(None, f"{STAYS}:{number}", STAYS, context.clock.now(), text, data)
    last = context.samples.last_event(STAYS)
    if last is None or last.key != event.key:
        log.warning("the champion is proved worse, and the previous version cannot come back", reason=text)
        context.samples.add_event(event)


def _whole_before(context: Context, champion: VersionRecord) -> VersionRecord | None:
    """The newest other version that was in force and may be: whole, of this encoder, without forgotten samples."""
    for name in _in_force_before(context.registry.audit(("promote", "rollback")), champion.id):
        record = context.registry.version(name)
        if record.fingerprint != champion.fingerprint:
            continue
        if context.samples.forgotten_in(record.fingerprint, record.statistics_revision):
            log.warning("a version that was in force holds forgotten samples", version=name)
            continue
        try:
            load_version(context.registry, record)
        except CorruptArtifact as error:
            log.warning("a version that was in force is damaged too", version=name, error=str(error))
            continue
        return record
    return None


def _in_force_before(rows: Sequence[AuditRow], champion: str) -> list[str]:
    """The other versions that were in force, newest first; what was rolled back comes last: somebody wanted it gone."""
    gone = {row.previous: row.action == "rollback" for row in rows}  # how each was replaced the last time
    names = dict.fromkeys(row.version for row in reversed(rows) if row.version is not None and row.version != champion)
    return sorted(names, key=lambda name: gone.get(name, False))


def _bring_back(
    context: Context,
    champion: VersionRecord,
    target: VersionRecord,
    reason: str,
    noted: Mapping[str, object] = MappingProxyType({}),
) -> AuditRow | None:
    try:
        row = replace_champion(context, target, champion, WATCH, reason, "rollback", noted=noted)
    except (ChampionMoved, CorruptArtifact) as error:  # a person was faster, or the target was damaged meanwhile
        log.warning("the previous version could not be brought back", error=str(error))
        return None
    log.warning("the previous version is in force again", version=target.id, reason=reason)
    settle(context)
    return row
