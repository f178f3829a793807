"""Everything that the store keeps of samples."""

from __future__ import annotations

from typing import Protocol

from daemon.ports.corrections import Corrections
from daemon.ports.episodes import EpisodeStore
from daemon.ports.events import EventStore
from daemon.ports.forgetting import ForgettingStore
from daemon.ports.intake import IntakeStore
from daemon.ports.learning import LearningStore
from daemon.ports.looking import OverviewStore
from daemon.ports.measuring import MeasurementStore
from daemon.ports.vectors import VectorStore


class SampleStore(
    Corrections,
    IntakeStore,
    VectorStore,
    MeasurementStore,
    EpisodeStore,
    LearningStore,
    ForgettingStore,
    EventStore,
    OverviewStore,
    Protocol,
):
    """Samples, vectors, scores, statistics, measurements: in one database, for one transaction may touch several."""
