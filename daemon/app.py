"""The composition root: the only module that knows the store and builds the service from the configuration."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.clock import AcceleratedClock, WallClock
from daemon.encoders.pool import Encoders
from daemon.encoders.stopped import stopped_encoder
from daemon.errors import ConfigurationError, ImageRejected, TemporaryError
from daemon.model import Split
from daemon.ports import EncoderService, Meter, Notifier, Progress
from daemon.settings import EncoderSettings, Settings
from daemon.status.snapshot import Sources, snapshot
from daemon.status.versions import version_views
from daemon.store_context import StoreContext
from daemon.views import Status, VersionView
from store.derived import DerivedFiles
from store.layout import Layout
from store.lock import StateLock, is_held, last_start
from store.state import Store, open_store
from store.verify import Check, verify

if TYPE_CHECKING:
    from daemon.context import Context


_FETCH_SECONDS = 20.0  # for one attempt to fetch a pushed address, from first to last byte


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
    Raises StateLocked, ConfigurationError, WeightsMissing, ChildFailed. A decision about a version takes `deciding`.
    """
    started = time.time()
    clock = make_clock(settings)
    from daemon.wiring import make_context  # here, so that commands which only read do not pay for it

    with ExitStack() as stack:
        if lock:
            stack.enter_context(StateLock(settings.store.directory, datetime.now(UTC)))
        store = stack.enter_context(open_for(settings, read_only=read_only))
        if lock:
            store.sweep(started)
        _catch_up(clock, store)
        context = make_context(
            settings,
            clock,
            store.samples,
            store.registry,
            store.runs,
            store.golden,
            store.migrations,
            derived=DerivedFiles(store.layout),
            encoder=encoder,
            read_only=read_only,
            meter=meter,
            notifier=notifier,
            progress=progress,
            stack=stack,
        )
        yield Opened(context, store, holder_name(), is_simulated(settings))


@contextmanager
def deciding(settings: Settings) -> Iterator[StoreContext]:
    """The store for a person's decision about versions: one transaction, so it may happen beside a running service.

    An encoder is started only to see that a version of another encoder could be served. Raises ConfigurationError when
    there is no store: nothing can be decided in a new one.
    """
    clock = make_clock(settings)
    database = Layout(settings.store.directory).database
    if settings.store.database_url is None and not database.is_file():
        raise ConfigurationError(f"there is no store at {database} yet; start the service once with `sidwatch run`")

    def start(encoder: EncoderSettings) -> EncoderService:
        from daemon.wiring import start_checked_encoder

        return start_checked_encoder(settings, store.golden, clock.now(), encoder, record_golden=True)

    with ExitStack() as stack:
        store = stack.enter_context(open_for(settings))
        _catch_up(clock, store)
        encoders = Encoders(stopped_encoder(store.registry), None, start)
        stack.callback(encoders.close)
        yield StoreContext(
            settings=settings,
            clock=clock,
            samples=store.samples,
            registry=store.registry,
            runs=store.runs,
            migrations=store.migrations,
            encoders=encoders,
        )


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


@contextmanager
def kept_in(directory: Path) -> Iterator[DerivedFiles]:
    """A folder, locked while the block runs, of files that can be computed again. Raises StateLocked."""
    with StateLock(directory, datetime.now(UTC)):
        yield DerivedFiles(Layout(directory))


def kept_beside(directory: Path) -> DerivedFiles:
    """The same files for a process whose parent holds the lock: each is there whole or not at all."""
    return DerivedFiles(Layout(directory))


def make_fetch(settings: Settings) -> Callable[[str], bytes]:
    """What fetches the pictures that are pushed as addresses; safe to use from any thread.

    It raises ImageRejected when a picture cannot be had, TemporaryError when it may be had later.
    """
    from adapters.fetching import Fetcher, FetchLimits, FetchRefused, Unavailable

    def fetch(url: str) -> bytes:
        patience = FetchLimits(deadline=_FETCH_SECONDS, attempts=2, longest_wait=5.0)
        with closing(Fetcher(patience, allowed=settings.push.allowed_hosts)) as fetcher:
            try:
                return fetcher.get(url, settings.intake.max_bytes).content
            except FetchRefused as error:
                raise ImageRejected(error.reason, str(error)) from error
            except Unavailable as error:
                raise TemporaryError(str(error)) from error

    return fetch


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
        near_duplicate_bits=settings.intake.near_duplicate_bits,
    )


def read_status(settings: Settings) -> Status:
    """The snapshot of a store that this process only reads; works beside a running service."""
    with open_for(settings, read_only=True) as store:
        state = "ready" if is_held(settings.store.directory) else "stopped"
        return snapshot(sources_of(settings, store), state, _time_of(settings, store))


def read_versions(settings: Settings) -> list[VersionView]:
    """Every version, oldest first; also when the champion is damaged and nothing else can be said."""
    with open_for(settings, read_only=True) as store:
        return version_views(store.registry, store.registry.audit())


def verify_store(settings: Settings, *, deep: bool) -> list[Check]:
    """The ten invariants of the store, read only; a running service may go on."""
    from daemon.wiring import check_artifact, differing_figures

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
    return Sources(settings, store.samples, store.registry, store.runs, None, is_simulated(settings), store.migrations)


def is_running(settings: Settings) -> bool:
    """Whether a process holds the state: it takes up what was changed beside it when it is asked to."""
    return is_held(settings.store.directory)


def is_simulated(settings: Settings) -> bool:
    """Whether pictures or time are simulated, which is said wherever figures are shown."""
    return settings.simulated


def _catch_up(clock: WallClock | AcceleratedClock, store: Store) -> None:
    if isinstance(clock, AcceleratedClock):
        for run in store.runs.latest():
            clock.catch_up(run.due_at)


def _time_of(settings: Settings, store: Store) -> datetime:
    clock = make_clock(settings)
    _catch_up(clock, store)
    return clock.now()
