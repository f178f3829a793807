"""What a decision about versions works with; importing it brings nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.encoders.pool import Encoders
from daemon.ports import Clock, Migrations, Registry, RunLog, SampleStore
from daemon.settings import Settings


@dataclass(frozen=True)
class StoreContext:
    """The store, the settings, the clock, and the encoders, which may have to be started for another version."""

    settings: Settings
    clock: Clock
    samples: SampleStore
    registry: Registry
    runs: RunLog
    migrations: Migrations
    encoders: Encoders
