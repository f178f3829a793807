"""Everything a stage of the cycle works with, wired once by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.answered import LastAnswered
from daemon.champion import ChampionCache
from daemon.heads.solved import LastSolved
from daemon.ports import (
    Channel,
    DerivedFiles,
    EncoderService,
    Inspector,
    Meter,
    Notifier,
    Poller,
)
from daemon.settings import AdapterSettings
from daemon.shortcuts.measuring import Separate, separation
from daemon.store_context import StoreContext


class NothingKept:
    """For a context without a place to keep what can be computed again."""

    def get(self, kind: str, key: str) -> None: ...
    def put(self, kind: str, key: str, content: bytes) -> None: ...


@dataclass(frozen=True)
class Context(StoreContext):
    """The ports, the settings and the clock; stages keep no state of their own."""

    inspector: Inspector
    poller: Callable[[AdapterSettings], Poller]  # a poller with the adapter's own deadline, memory and secrets
    notifier: Notifier
    meter: Meter
    champion: ChampionCache
    progress: Callable[[str, int, int], None] = field(default=lambda what, done, total: None)  # long work tells
    channels: tuple[Channel, ...] = ()  # ways to people outside
    derived: DerivedFiles = field(default_factory=NothingKept)
    separation: Separate = separation  # how far file metadata tells batches apart; a back-test asks for each once
    solved: LastSolved = field(default_factory=LastSolved)  # used by whoever holds the state, one challenger at a time
    answered: LastAnswered = field(default_factory=LastAnswered)  # what an idle cycle need not read again

    @property
    def encoder(self) -> EncoderService:
        """The encoder in force now; who needs it more than once keeps what this gave."""
        return self.encoders.current
