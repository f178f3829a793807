"""The composition root: the only module that knows the store and builds the service from the configuration."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import __version__
from daemon.champion import ChampionCache
from daemon.clock import AcceleratedClock, WallClock
from daemon.context import Context
from daemon.encoders.stopped import StoppedEncoder
from daemon.errors import ConfigurationError
from daemon.evaluate.measuring import differing_figures
from daemon.heads import read
from daemon.intake.inspecting import InspectorClient
from daemon.intake.polling import poll_in_child
from daemon.model import Split
from daemon.notify.notifying import LogNotifier
from daemon.ports import EncoderService, Meter, Notifier, Poller, Progress
from daemon.settings import AdapterSettings, Settings
from daemon.status import Sources, snapshot
from daemon.views import Status
from store.layout import Layout
from store.lock import StateLock, last_start
from store.state import Store, open_store
from store.verify import Check, verify

if TYPE_CHECKING:
    from daemon.telemetry import Telemetry


def no_progress(what: str, done: int, total: int) -> None:
    """For work that nobody watches."""


@dataclass(frozen=True)
class Opened:
    """An open state directory with a context on it."""

    context: Context
    store: Store
    holder: str
    simulated: bool  # pictures or time are simulated


def holder_name() -> str:
    """Who this process is, in run rows and the lock."""
    return f"{socket.gethostname()}:{os.getpid()}"


def make_clock(settings: Settings) -> WallClock | AcceleratedClock:
    """The clock that the configuration asks for."""
    if settings.clock.kind == "wall":
        return WallClock()
    assert settings.clock.start is not None  # checked by the settings
    return AcceleratedClock(settings.clock.start, settings.clock.step)


@contextmanager
def opened(
    settings: Settings,
    *,
    encoder: bool,
    lock: bool = True,
    read_only: bool = False,
    meter: Meter | None = None,
    notifier: Notifier | None = None,
    progress: Progress = no_progress,
) -> Iterator[Opened]:
    """Open the state for work.

    encoder: start the encoder's process; without it nothing can be encoded. lock: hold the state's lock, which is
    what a single writer must; False only to read, and for one-transaction decisions beside a running service.
    Raises StateLocked, ConfigurationError, WeightsMissing, ChildFailed.
    """
    started = time.time()
    clock = make_clock(settings)
    with ExitStack() as stack:
        if lock:
            stack.enter_context(StateLock(settings.store.directory, datetime.now(UTC)))
        store = stack.enter_context(open_for(settings, read_only=read_only))
        if lock:
            store.sweep(started)
        _catch_up(clock, store)
        service = _encoder(settings, store, stack) if encoder else _stopped_encoder(store)
        _same_encoder(store, service.fingerprint)
        inspector = InspectorClient(settings.intake)
        stack.callback(inspector.close)
        context = Context(
            settings=settings,
            clock=clock,
            samples=store.samples,
            registry=store.registry,
            runs=store.runs,
            encoder=service,
            inspector=inspector,
            poller=partial(make_poller, settings),
            notifier=notifier or LogNotifier(),
            meter=meter or make_telemetry(settings),
            champion=ChampionCache(store.registry),
            progress=progress,
        )
        yield Opened(context, store, holder_name(), is_simulated(settings))


def clear_state(directory: Path, also: Sequence[Path]) -> None:
    """Empty a state directory that nobody holds, after removing `also`; the demo's way to start anew."""
    with StateLock(directory, datetime.now(UTC)):
        for path in also:
            path.unlink(missing_ok=True)
        for path in directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != Layout(directory).lock:
                path.unlink()


def open_for(settings: Settings, *, read_only: bool = False) -> Store:
    """The store that the configuration names."""
    splits = settings.splits
    shares: dict[Split, float] = {
        "train": splits.train,
        "calibration": splits.calibration,
        "reference": splits.reference,
        "holdout": splits.holdout,
    }
    url = settings.store.database_url
    return open_store(
        settings.store.directory,
        url=url.get_secret_value() if url else None,
        shares=shares,
        read_only=read_only,
    )


def make_telemetry(settings: Settings) -> Telemetry:
    """The metrics of this process."""
    from daemon.telemetry import Telemetry  # here, so that short commands do not pay for it

    telemetry = Telemetry(__version__)
    for adapter in settings.adapters:
        if adapter.enabled:
            telemetry.add_adapter(adapter.name)
    return telemetry


def make_poller(settings: Settings, adapter: AdapterSettings) -> Poller:
    """A poller with the adapter's own limits and secrets."""
    return partial(
        poll_in_child,
        deadline=adapter.deadline.total_seconds(),
        memory_limit=adapter.memory_limit,
        secrets={name: value.get_secret_value() for name, value in adapter.secrets.items()},
        max_bytes=settings.intake.max_bytes,
    )


def read_status(settings: Settings) -> Status:
    """The snapshot of a store that this process only reads; works beside a running service."""
    with open_for(settings, read_only=True) as store:
        champion = ChampionCache(store.registry).get()
        running = any(run.state == "running" for run in store.runs.latest())
        return snapshot(
            sources_of(settings, store), champion, "ready" if running else "stopped", _time_of(settings, store)
        )


def verify_store(settings: Settings, *, deep: bool) -> list[Check]:
    """The ten invariants of the store, read only; a running service may go on."""

    def check_artifact(tensors: bytes, manifest: bytes) -> None:
        read(tensors, manifest)  # raises when the anchors do not score as recorded

    with opened(settings, encoder=False, lock=False, read_only=True) as state:
        return verify(
            state.store,
            now=state.context.clock.now(),
            started_at=last_start(settings.store.directory),
            check_artifact=check_artifact,
            recompute=lambda: differing_figures(state.context),
            deep=deep,
        )


def sources_of(settings: Settings, store: Store) -> Sources:
    """What a snapshot is made from."""
    return Sources(settings, store.samples, store.registry, store.runs, None, is_simulated(settings))


def is_simulated(settings: Settings) -> bool:
    """Whether pictures or time are simulated, which is said wherever figures are shown."""
    return settings.clock.kind == "simulated" or any(
        adapter.kind == "simulated" and adapter.enabled for adapter in settings.adapters
    )


def _catch_up(clock: WallClock | AcceleratedClock, store: Store) -> None:
    if isinstance(clock, AcceleratedClock):
        for run in store.runs.latest():
            clock.catch_up(run.due_at)


def _time_of(settings: Settings, store: Store) -> datetime:
    clock = make_clock(settings)
    _catch_up(clock, store)
    return clock.now()


def _encoder(settings: Settings, store: Store, stack: ExitStack) -> EncoderService:
    if settings.encoder.name == "open_clip":
        from daemon.encoders.weights import locate_weights

        locate_weights(settings.encoder.open_clip)  # says in seconds what the child would say after importing torch
    from daemon.encoders.client import EncoderClient

    client = EncoderClient(settings.encoder, settings.intake)
    stack.callback(client.close)
    return client


def _same_encoder(store: Store, fingerprint: str) -> None:
    """Vectors of two encoders never meet: a champion only judges those that it was learned from."""
    champion = store.registry.champion()
    if champion is not None and champion.fingerprint != fingerprint:
        raise ConfigurationError(
            f"encoder: champion {champion.id} was learned with encoder {champion.fingerprint[:12]}, configured is "
            f"{fingerprint[:12]}; configure that one again or give this one its own store.directory"
        )


def _stopped_encoder(store: Store) -> EncoderService:
    champion = store.registry.champion()
    return StoppedEncoder(champion.fingerprint if champion else "")
