"""What the `reembed` command does; printing is its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from daemon.app import open_for, opened
from daemon.context import Context
from daemon.errors import BadInputError, SidwatchError, StateLocked
from daemon.model import Migration, VersionRecord
from daemon.ports import Progress
from daemon.reembed.migrating import step
from daemon.reembed.recorded import known, named, record, same
from daemon.reembed.shadow import WINDOW
from daemon.settings import EncoderSettings, Settings, load_encoder


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a request to move to another encoder."""

    text: str
    migration: int
    state: str


def reembed(settings: Settings, name: str, file: Path | None, progress: Progress) -> Asked:
    """Move the store to another encoder now, or leave that to the service that runs on it.

    name: the encoder; file: holds its section `encoder:`, None: config.yaml's own sections say how it is made.
    Raises BadInputError, ConfigurationError, WeightsMissing, ChildFailed.
    """
    target = named(settings.encoder if file is None else _section(file, name), name)
    try:
        with opened(settings, encoder=False, progress=progress) as state:
            begun = _begin(state.context, target, alone=True)
            found = _finish(state.context, begun)
            return Asked(f"migration {found.id}: {found.state}: {found.reason}", found.id, found.state)
    except StateLocked:
        with opened(settings, encoder=False, lock=False) as state:
            begun = _begin(state.context, target, alone=False)
    text = f"the running service moves to {name} beside its work; `sidwatch reembed --status` shows how far it is"
    return Asked(text, begun.id, begun.state)


def cancel(settings: Settings) -> Migration:
    """End the migration under way; its vectors stay for a next one. Raises BadInputError when there is none."""
    with opened(settings, encoder=False, lock=False) as state:
        migrations = state.context.migrations
        found = migrations.active()
        if found is None:
            raise BadInputError("no migration is under way, so there is nothing to cancel")
        migrations.cancel(found.id, "cancelled by hand", state.context.clock.now())
        return next(one for one in migrations.all() if one.id == found.id)


def describe(settings: Settings) -> dict[str, Any] | None:
    """The newest migration with its figures, as plain data; None when there never was one."""
    with open_for(settings, read_only=True) as store:
        every = store.migrations.all()
        if not every:
            return None
        last = every[-1]
        figures = [
            {
                "subject": list(row.subject),
                "profile": row.profile,
                "role": role,
                "version": version,
                "n": row.n,
                "ap": row.ap,
                "recall": row.recall,
                "false_positive_rate": row.false_positive_rate,
            }
            for role, version in (("champion", last.champion), ("challenger", last.version))
            if version is not None
            for row in store.samples.latest_evaluations(version)
            if row.window == WINDOW
        ]
        counts = asdict(store.migrations.counts(last.id))
        return {**asdict(last), "counts": counts, "figures": figures}


def purge(settings: Settings, *, remove: bool) -> dict[str, Any]:
    """Vectors and statistics of encoders that are neither the champion's nor the previous one's; removed if so asked.

    Raises StateLocked while a service runs: it may be reading them.
    """
    with opened(settings, encoder=False, lock=remove, read_only=not remove) as state:
        context = state.context
        needed = {version.fingerprint for version in _kept(context)}
        active = context.migrations.active()
        if active is not None:
            needed |= {active.from_fingerprint, active.to_fingerprint}
        old = {print_: n for print_, n in context.migrations.encoders().items() if print_ not in needed}
        removed = context.migrations.purge(old, context.clock.now()) if remove and old else {}
    return {"encoders": old, "removed": removed}


def _kept(context: Context) -> list[VersionRecord]:
    versions = (context.registry.champion(), context.registry.previous())
    return [version for version in versions if version is not None]


def _section(file: Path, name: str) -> EncoderSettings:
    found = load_encoder(file)
    if found.name != name:
        raise BadInputError(f"{file} describes encoder {found.name}, asked for is {name}")
    return found


def _begin(context: Context, target: EncoderSettings, *, alone: bool) -> Migration:
    champion = context.registry.champion()
    if champion is None:
        raise BadInputError(
            f"there is no champion yet, so there is nothing to move: set encoder.name: {target.name} in config.yaml"
        )
    origin = _origin(context, champion.fingerprint, target) if alone else None
    encoder = context.encoders.start(target)
    if encoder.fingerprint == champion.fingerprint:
        raise BadInputError(f"champion {champion.id} was learned with this very encoder; there is nothing to move")
    return context.migrations.begin(
        from_fingerprint=champion.fingerprint,
        to_fingerprint=encoder.fingerprint,
        from_settings=origin,
        to_settings=record(target),
        at=context.clock.now(),
    )


def _origin(context: Context, fingerprint: str, target: EncoderSettings) -> dict[str, Any] | None:
    """How the champion's encoder is made: recorded before, or as configured if that gives it; None: nobody knows.

    A running service knows by itself.
    """
    recorded = known(context.migrations.all()).get(fingerprint)
    if recorded is not None:
        return recorded
    configured = context.settings.encoder
    if same(record(configured), record(target)):
        return None  # the configured encoder is the target: after an upgrade, or config.yaml was changed first
    try:
        found = context.encoders.start(configured)
    except SidwatchError:  # it cannot be started here any more: there is no way back, and that is all
        return None
    context.encoders.retire(())
    return record(configured) if found.fingerprint == fingerprint else None


def _finish(context: Context, migration: Migration) -> Migration:
    while not migration.finished:
        after = step(context)
        if after is None:
            break
        migration = after
    return migration
