"""The sample store: `daemon.ports.SampleStore` over SQL and files, one noun per base class."""

from __future__ import annotations

from store.alarms import Alarms
from store.clips import Clips
from store.corrections import Corrections
from store.episodes import Episodes
from store.events import Events
from store.families import Families
from store.figures_past import PastFigures
from store.forgetting import Forgetting
from store.measurements import Measurements
from store.outbox import Outbox
from store.overview import Overview
from store.pushes import Pushes
from store.quarantine import Quarantine
from store.releases import Releases
from store.sample_facts import LooksAtSamples
from store.scores import Scores
from store.shortcuts import Shortcuts
from store.standings import Standings
from store.statistics import StatisticsFiles


class SqlSampleStore(
    Pushes,
    Releases,
    Forgetting,
    Corrections,
    Families,
    Scores,
    Measurements,
    Episodes,
    Standings,
    Shortcuts,
    StatisticsFiles,
    Clips,
    Events,
    Outbox,
    Alarms,
    Overview,
    PastFigures,
    Quarantine,
    LooksAtSamples,
):
    """Samples, vectors, scores, statistics, measurements, alarms."""
