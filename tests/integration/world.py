"""A small world of vectors on the real store: cameras and generator families as Gaussians, no pictures decoded."""

from __future__ import annotations

import atexit
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.champion import ChampionCache
from daemon.clock import AcceleratedClock
from daemon.context import Context
from daemon.cycle import CycleReport, run_cycle
from daemon.errors import ImageRejected
from daemon.model import Batch, Candidate, EncodingFailure, Event, Inspected, Label, Profile
from daemon.reembed.in_force import start_in_force
from daemon.settings import AdapterSettings, EncoderSettings, Settings
from store.state import Store, open_store

START = datetime(2030, 1, 1, tzinfo=UTC)
FINGERPRINT = "f" * 64
DIMENSION = 16
SOURCES = tuple(f"camera_{letter}" for letter in "abcdef")
KNOWN = ("old_gan", "other_gan", "third_gan")
NEW = "newcomer"
ADAPTER = AdapterSettings(name="world", kind="in_memory", trust="trusted")

# Where the families lie; photographs lie around the origin. The newcomer is far out in a direction that tells
# nothing to a head that has only seen the known ones.
CENTRES: dict[str, tuple[int, float]] = {
    "old_gan": (0, 8.0),
    "other_gan": (1, 8.0),
    "third_gan": (2, 8.0),
    NEW: (9, 8.0),
}


def centre_of(name: str) -> NDArray[np.float64]:
    """The mean of a family or a camera."""
    if name in CENTRES:
        axis, far = CENTRES[name]
        return far * np.eye(DIMENSION)[axis]
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    return np.asarray(np.random.default_rng(seed).normal(0.0, 0.7, DIMENSION))


def candidate(name: str, index: int, **changes: Any) -> Candidate:
    """One delivery; its bytes name it, and the encoder below makes its vector from them."""
    content = f"{name}:{index}".encode()
    real = name in SOURCES
    label: Label = "real" if real else "synthetic"
    made = Candidate(
        uri=f"{name}/{index}",
        content=content,
        label=label,
        family=None if real else name,
        source=name if real else None,
        group=f"{name}-{index}",
    )
    return replace(made, **changes)


def beginning(per_subject: int = 60) -> list[Candidate]:
    """What is known on day 0."""
    return [candidate(name, i) for i in range(per_subject) for name in (*SOURCES, *KNOWN)]


@dataclass
class Encoder:
    """Bytes to a Gaussian vector around the subject's centre; laundering adds noise.

    Another fingerprint or dimension makes other vectors of the same world; a blind one sees nothing but noise.
    """

    name: str = "in_memory"
    fingerprint: str = FINGERPRINT
    dimension: int = 0  # 0: the world's own
    blind: bool = False
    refused: tuple[bytes, ...] = ()  # what it cannot take
    closed: bool = False

    def __post_init__(self) -> None:
        self.dimension = self.dimension or DIMENSION

    def close(self) -> None:
        self.closed = True

    def encode_many(
        self, items: Sequence[bytes], profiles: Sequence[Profile]
    ) -> list[dict[Profile, NDArray[np.float32]] | EncodingFailure]:
        assert not self.closed, "an encoder that was ended is asked"
        return [
            EncodingFailure("encoding_failed", "it says so itself")
            if content in self.refused
            else {profile: self._encode(content, profile) for profile in profiles}
            for content in items
        ]

    def encode_now(self, content: bytes, *, wanted: Callable[[], bool] = lambda: True) -> NDArray[np.float32]:
        assert not self.closed, "an encoder that was ended is asked"
        return self._encode(content, "raw")

    def _encode(self, content: bytes, profile: Profile) -> NDArray[np.float32]:
        own = b"" if self.fingerprint == FINGERPRINT else self.fingerprint.encode()
        random = np.random.default_rng(int.from_bytes(hashlib.sha256(own + content).digest()[:8]))
        vector = random.normal(0.0, 1.0, self.dimension)
        if not self.blind:
            vector[:DIMENSION] += centre_of(content.decode().partition(":")[0])
        if profile == "laundered":
            vector = vector + random.normal(0.0, 0.3, self.dimension)
        return vector.astype(np.float32)


class Inspector:
    """Takes everything but what says that it is broken."""

    def inspect(self, content: bytes) -> Inspected:
        if content == b"broken":
            raise ImageRejected("corrupt", "it says so itself")
        return Inspected(64, 64, "PNG", "0" * 16)


class Meter:
    """Counts nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


@dataclass
class Inbox:
    """The adapter: what lies in it is offered once, in the batches it was put in."""

    batches: list[list[Candidate]] = field(default_factory=list)

    def put(self, candidates: Iterable[Candidate], *, batch: int = 100_000) -> None:
        every = list(candidates)
        self.batches += [every[i : i + batch] for i in range(0, len(every), batch)]

    def __call__(
        self, name: str, kind: str, options: Mapping[str, Any], cursor: str | None, budget: int, now: datetime
    ) -> Iterator[Batch]:
        for number in range(int(cursor or 0), len(self.batches)):
            yield Batch(tuple(self.batches[number]), str(number + 1))


@dataclass
class World:
    """One state directory with its service."""

    root: Path
    inbox: Inbox = field(default_factory=Inbox)
    told: list[Event] = field(default_factory=list)
    clock: AcceleratedClock = field(default_factory=lambda: AcceleratedClock(START, timedelta(days=1)))
    settings: Settings = field(
        default_factory=lambda: Settings(adapters=(ADAPTER,), encoder=EncoderSettings(name="forensic"))
    )
    kinds: dict[str, Encoder] = field(default_factory=lambda: {"forensic": Encoder()})  # what each name starts

    def __post_init__(self) -> None:
        self.open()

    @classmethod
    def settled(cls, root: Path) -> World:
        """A world of the shipped settings after what is known on day 0, with its first champion.

        Told once a process and copied from then on, for that day costs seconds.
        """
        state, reached, told = _first_day(DIMENSION)
        shutil.copytree(state, root)
        world = cls(root, Inbox([beginning()]), list(told))
        world.clock.catch_up(reached)
        return world

    def start(self, settings: EncoderSettings) -> Encoder:
        """A fresh encoder of that name, as a process of its own would be."""
        return replace(self.kinds[settings.name], name=settings.name, closed=False)

    def open(self) -> None:
        """Open the store anew, as a fresh process would."""
        self.store: Store = open_store(self.root)
        told = self.told

        class Notifier:
            def send(self, event: Event) -> None:
                told.append(event)

        self.context = Context(
            settings=self.settings,
            clock=self.clock,
            samples=self.store.samples,
            registry=self.store.registry,
            runs=self.store.runs,
            migrations=self.store.migrations,
            encoders=start_in_force(self.settings.encoder, self.store.registry, self.store.migrations, self.start),
            inspector=Inspector(),
            poller=lambda adapter: self.inbox,
            notifier=Notifier(),
            meter=Meter(),
            champion=ChampionCache(self.store.registry),
        )

    def cycle(self) -> CycleReport:
        """One simulated day."""
        report = run_cycle(self.context, [ADAPTER])
        self.clock.after_cycle()
        return report

    def until_idle(self, most: int = 20) -> int:
        """Cycles until nothing is left to do; returns how many there were."""
        for number in range(1, most + 1):
            if self.cycle().idle:
                return number
        raise AssertionError(f"still busy after {most} cycles")


@cache
def _first_day(dimension: int) -> tuple[Path, datetime, tuple[Event, ...]]:
    """Its state directory, the time it took the world to and what was told; removed when the process ends."""
    folder = Path(mkdtemp(prefix="first_day_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    world = World(folder / "state")
    world.inbox.put(beginning())
    world.until_idle()
    world.store.close()
    return world.root, world.clock.now(), tuple(world.told)
