"""Which encoder a process starts: the champion's, whatever config.yaml still says, and never silently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from daemon.encoders.pool import Encoders
from daemon.errors import ConfigurationError
from daemon.model import Migration, VersionRecord
from daemon.ports import EncoderService, Migrations, Registry
from daemon.reembed.recorded import called, known, record, restore, same
from daemon.settings import EncoderSettings

log = structlog.get_logger("sidwatch.encoder")


@dataclass(frozen=True, slots=True)
class InForce:
    """The encoder to start, and what people must be told about it."""

    settings: EncoderSettings
    notice: str | None = None  # config.yaml names another one


def encoder_in_force(configured: EncoderSettings, registry: Registry, migrations: Migrations) -> InForce:
    """The configured encoder, or the champion's when the store moved and config.yaml did not follow.

    Raises ConfigurationError when config.yaml names an encoder that was never in force nor asked for.
    """
    champion = registry.champion()
    every = migrations.all()
    recorded = known(every)
    if champion is None or champion.fingerprint not in recorded:
        return InForce(configured)
    ours, theirs = recorded[champion.fingerprint], record(configured)
    if same(ours, theirs):
        return InForce(configured)
    if any(same(recorded[fingerprint], theirs) for fingerprint in _expected(registry, every) & recorded.keys()):
        how, when = _since(registry, champion)
        return InForce(restore(ours, configured), _notice(called(theirs), ours, how, when, every[-1]))
    if ours["name"] == theirs["name"]:
        return InForce(configured)  # the same kind, made otherwise: its fingerprint will tell
    how, when = _since(registry, champion)
    raise ConfigurationError(
        f"encoder.name: in force is {called(ours)} since the {how} of {when:%Y-%m-%d %H:%M}, configured is "
        f"{called(theirs)}; set encoder.name: {ours['name']}, or let `sidwatch reembed --encoder {theirs['name']}` "
        "move the service"
    )


def start_in_force(
    configured: EncoderSettings,
    registry: Registry,
    migrations: Migrations,
    start: Callable[[EncoderSettings], EncoderService],
) -> Encoders:
    """Start the champion's encoder and say so when config.yaml names another one.

    Raises ConfigurationError when what is configured neither is the champion's nor may stand for it, and as `start`.
    """
    found = encoder_in_force(configured, registry, migrations)
    if found.notice:
        log.warning(found.notice)
    encoders = Encoders(start(found.settings), found.settings, start)
    try:
        check_encoder(configured, encoders.current.fingerprint, registry, migrations)
    except ConfigurationError:
        encoders.close()
        raise
    return encoders


def encoder_notice(configured: EncoderSettings, registry: Registry, migrations: Migrations) -> str | None:
    """The line for people when config.yaml does not name the encoder in force; None when all is well."""
    try:
        return encoder_in_force(configured, registry, migrations).notice
    except ConfigurationError as error:
        return str(error)


def check_encoder(configured: EncoderSettings, fingerprint: str, registry: Registry, migrations: Migrations) -> None:
    """Vectors of two encoders never meet: a champion only judges those that it was learned from.

    Raises ConfigurationError, which says how to move, when the started encoder is not the champion's.
    """
    champion = registry.champion()
    if champion is None or champion.fingerprint == fingerprint:
        return
    raise ConfigurationError(
        f"encoder: champion {champion.id} was learned with encoder {champion.fingerprint[:12]}, the configured "
        f"{configured.name} is {fingerprint[:12]} (another one, or changed by an upgrade); `sidwatch reembed --encoder "
        f"{configured.name}` moves the store to it, through the gate{_last_word(fingerprint, migrations)}; or "
        "configure the earlier encoder again, or give this one its own store.directory"
    )


def _last_word(fingerprint: str, migrations: Migrations) -> str:
    """What the gate said when it was asked for this encoder before."""
    asked = [one for one in migrations.all() if one.to_fingerprint == fingerprint and one.version]
    if not asked or asked[-1].state not in ("held", "rejected"):
        return ""
    last = asked[-1]
    by_hand = f"`sidwatch models promote {last.version} --reason ...` decides by hand"
    return f" (migration {last.id} was {last.state}: {by_hand})"


def _expected(registry: Registry, migrations: list[Migration]) -> set[str]:
    """Encoders that config.yaml may still, or already, name: those that were in force, and the one moved to."""
    of = {version.id: version.fingerprint for version in registry.versions()}
    champions = {of[row.version] for row in registry.audit() if row.action in ("promote", "rollback") and row.version}
    return champions | {one.to_fingerprint for one in migrations if not one.finished}


def _since(registry: Registry, champion: VersionRecord) -> tuple[str, datetime]:
    """By what, and when, the champion's encoder came into force."""
    of = {version.id: version.fingerprint for version in registry.versions()}
    how, when = "promotion", champion.created_at
    for row in reversed([row for row in registry.audit() if row.action in ("promote", "rollback")]):
        if row.version is None or of[row.version] != champion.fingerprint:
            break
        how = "migration" if "migration" in row.payload else "rollback" if row.action == "rollback" else "promotion"
        when = row.at
    return how, when


def _notice(configured: str, ours: dict[str, Any], how: str, when: datetime, last: Migration) -> str:
    if not last.finished:
        return (
            f"config.yaml names {configured}, in force is {called(ours)} until migration {last.id} is through: "
            "`sidwatch reembed --status` shows how far it is"
        )
    more = "" if ours["name"] not in ours else f" and its section encoder.{ours['name']}"
    return (
        f"config.yaml names {configured}, in force is {called(ours)} since the {how} of {when:%Y-%m-%d %H:%M}: "
        f"set encoder.name: {ours['name']}{more} (`sidwatch reembed --status --json` prints it)"
    )
