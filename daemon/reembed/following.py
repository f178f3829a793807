"""Follow: the encoder in force is the champion's, after a switch and after a rollback across encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from daemon.errors import ConfigurationError
from daemon.reembed.in_force import encoder_notice
from daemon.reembed.recorded import known, restore
from daemon.store_context import StoreContext

if TYPE_CHECKING:
    from daemon.context import Context

log = structlog.get_logger("sidwatch.reembed")


def follow(context: Context) -> None:
    """Put the champion's encoder in force, starting it if need be, and end those that nobody needs.

    Until it is there the version before goes on judging. Raises ConfigurationError when the store does not know how
    it is made, WeightsMissing or ChildFailed when it does not start.
    """
    champion = context.registry.champion()
    if champion is None:
        return
    wanted = champion.fingerprint
    migration = context.migrations.active()
    if context.encoder.fingerprint != wanted:
        start_encoder_of(context, wanted)
        context.encoders.use(wanted)
        notice = encoder_notice(context.settings.encoder, context.registry, context.migrations)
        log.warning("another encoder is in force", encoder=wanted, champion=champion.id, notice=notice)
    context.encoders.retire({wanted} | ({migration.to_fingerprint} if migration else set()))


def start_encoder_of(context: StoreContext, fingerprint: str) -> None:
    """Have the encoder of that fingerprint, as the store recorded it.

    Raises ConfigurationError when nothing is recorded or the encoder is another one by now.
    """
    recorded = known(context.migrations.all()).get(fingerprint)
    if recorded is None and context.encoders.settings_of(fingerprint) is None:
        raise ConfigurationError(
            f"encoder {fingerprint[:12]} cannot be started: how it is made was never recorded (an earlier version of "
            "this program or another configuration made it); where it still is, name it under `encoder` in config.yaml"
        )
    settings = restore(recorded, context.settings.encoder) if recorded else context.settings.encoder
    context.encoders.have(fingerprint, settings)
