"""One step of a migration: embed a bounded number of pictures; when none waits, learn, compare, judge, switch.

Where it stands is in the store, so a step that was cut off anywhere is simply done again.
"""

from __future__ import annotations

import structlog

from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.encoders.embedding import CHUNK, embed_chunk
from daemon.errors import BadInputError, ChampionMoved, CorruptArtifact
from daemon.evaluate.measuring import evaluate
from daemon.learn.learning import solve_beside
from daemon.learn.settling import settle
from daemon.model import PROFILES, Event, Migration, PendingSample
from daemon.ports import EncoderService
from daemon.reembed.recorded import record, restore
from daemon.reembed.shadow import judge_migration, same_samples, shadow_figures

log = structlog.get_logger("sidwatch.reembed")


def step(context: Context) -> Migration | None:
    """Go on with the migration that is under way; returns it as it is afterwards, None when there is none.

    Raises ConfigurationError when the target is another encoder by now, WeightsMissing, ChildFailed, TemporaryError
    when a person ended it meanwhile.
    """
    migration = context.migrations.active()
    champion = context.champion.get()
    if migration is None or champion is None:
        return None
    if champion.record.fingerprint == migration.to_fingerprint:
        reason = f"{champion.record.id} of that encoder became champion otherwise"
        context.migrations.cancel(migration.id, reason, context.clock.now())
        return _now(context, migration)
    _note_origin(context, migration)
    target = _target(context, migration)
    if _embed(context, migration, target) and migration.state == "embedding":
        return migration
    while not (migration := _now(context, migration)).finished:
        _advance(context, migration, champion)
        champion = context.champion.get() or champion
    return migration


def _note_origin(context: Context, migration: Migration) -> None:
    """How the encoder in force is made: known to the process that started it, needed for the way back."""
    settings = context.encoders.settings_of(migration.from_fingerprint)
    if migration.from_settings is None and settings is not None:
        context.migrations.know_origin(migration.id, record(settings))


def _target(context: Context, migration: Migration) -> EncoderService:
    settings = restore(migration.to_settings, context.settings.encoder)
    beside = settings.model_copy(update={"memory_limit": context.settings.reembed.memory_limit})
    return context.encoders.have(migration.to_fingerprint, beside)


def _embed(context: Context, migration: Migration, target: EncoderService) -> bool:
    """Embed as many as one step may; returns whether more are waiting."""
    left = context.settings.reembed.samples_per_cycle
    while left > 0 and (pending := _pending(context, migration, min(CHUNK, left))):
        failed = embed_chunk(context, target, pending)
        # The picture served the encoder in force well so far, hence no quarantine.
        context.migrations.add_failures(migration.id, {sample.sample_id: why for sample, why in failed})
        left -= len(pending)
        counts = context.migrations.counts(migration.id)
        context.progress("embed", counts.embedded, counts.embedded + counts.waiting)
    return left <= 0 and bool(_pending(context, migration, 1))


def _pending(context: Context, migration: Migration, limit: int) -> list[PendingSample]:
    for profile in PROFILES:
        pending = context.migrations.pending(migration.id, profile, limit)
        if pending:
            return pending
    return []


def _advance(context: Context, migration: Migration, champion: LoadedVersion) -> None:
    if migration.state == "embedding":
        context.migrations.advance(migration.id, "embedding", "learning", context.clock.now())
    elif migration.state == "learning":
        _learn(context, migration, champion)
    elif migration.state == "shadow":
        _compare(context, migration, champion)
    else:
        _carry_out(context, migration)


def _learn(context: Context, migration: Migration, champion: LoadedVersion) -> None:
    """Statistics and a head from the target's vectors, by the rules of every other version."""
    at = context.clock.now()
    try:
        version = solve_beside(context, migration.to_fingerprint, champion)
    except CorruptArtifact:
        raise
    except BadInputError as error:
        reason = f"too little to learn from: {error}"
        _announce_end(context, migration, reason)
        context.migrations.advance(migration.id, "learning", "rejected", at, reason=reason)
        return
    context.migrations.advance(migration.id, "learning", "shadow", at, version=version.record.id)


def _announce_end(context: Context, migration: Migration, reason: str) -> None:
    """There is no version, hence no row of the audit that the event could come from."""
    key, text = f"migration:{migration.id}:rejected", f"migration {migration.id} ended without a version: {reason}"
    data: dict[str, object] = {"migration": migration.id, "to": migration.to_fingerprint}
    context.samples.add_event(Event(None, key, "migration_rejected", context.clock.now(), text, data))


def _compare(context: Context, migration: Migration, champion: LoadedVersion) -> None:
    assert migration.version is not None
    challenger = load_version(context.registry, context.registry.version(migration.version))
    pairs = same_samples(context, champion, challenger)
    at = context.clock.now()
    context.samples.save_evaluations(shadow_figures(context, champion, challenger, pairs, at))
    verdict = judge_migration(context, champion, challenger, pairs)
    context.migrations.advance(
        migration.id,
        "shadow",
        "judged",
        at,
        champion=champion.record.id,
        verdict={**verdict.to_dict(), "migration": migration.id},
        reason=verdict.reason,
    )


def _carry_out(context: Context, migration: Migration) -> None:
    assert migration.verdict is not None
    decision, at = str(migration.verdict["decision"]), context.clock.now()
    if decision == "promote" and context.settings.promotion.mode == "manual":
        decision = "hold"  # `models promote` switches; the verdict says that the gate would have
    if decision != "promote":
        context.migrations.turn_down(migration.id, "rejected" if decision == "reject" else "held", at)
        return
    try:
        context.migrations.switch(migration.id, at)
    except ChampionMoved as error:
        log.warning("the champion changed during the comparison; compared anew", reason=str(error))
        context.migrations.advance(migration.id, "judged", "shadow", at)
        return
    context.encoders.use(migration.to_fingerprint)
    log.warning("another encoder is in force", encoder=migration.to_fingerprint, champion=migration.version)
    settle(context)
    evaluate(context)  # a new champion is never without figures


def _now(context: Context, migration: Migration) -> Migration:
    return next(one for one in context.migrations.all() if one.id == migration.id)
