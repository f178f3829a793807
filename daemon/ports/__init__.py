"""What the deciding code asks of the world; `store` and `adapters` implement it, tests bring their own.

All times are aware UTC datetimes. Every method that writes is one transaction and may be repeated without
harm; what it acknowledges by returning is durable.
"""

from daemon.ports.corrections import Corrections
from daemon.ports.encoders import Encoder, EncoderService, GoldenLog, Migrations
from daemon.ports.episodes import EpisodeStore
from daemon.ports.events import EventStore
from daemon.ports.forgetting import ForgettingStore
from daemon.ports.intake import IntakeStore
from daemon.ports.learning import LearningStore, StatisticsKey
from daemon.ports.looking import OverviewStore
from daemon.ports.measuring import MeasurementStore
from daemon.ports.registry import Registry
from daemon.ports.running import Channel, Clock, DerivedFiles, Meter, Notifier, Progress, RunLog
from daemon.ports.samples import SampleStore
from daemon.ports.sources import Adapter, Inspector, MakingAdapter, Poller
from daemon.ports.vectors import VectorStore

__all__ = [
    "Adapter",
    "Channel",
    "Clock",
    "Corrections",
    "DerivedFiles",
    "Encoder",
    "EncoderService",
    "EpisodeStore",
    "EventStore",
    "ForgettingStore",
    "GoldenLog",
    "Inspector",
    "IntakeStore",
    "LearningStore",
    "MakingAdapter",
    "MeasurementStore",
    "Meter",
    "Migrations",
    "Notifier",
    "OverviewStore",
    "Poller",
    "Progress",
    "Registry",
    "RunLog",
    "SampleStore",
    "StatisticsKey",
    "VectorStore",
]
