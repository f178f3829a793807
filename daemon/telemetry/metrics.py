"""Everything that `/metrics` shows: gauges from the snapshot, counters and histograms from what happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from daemon.evaluate.looks import Looks
from daemon.model import REASONS
from daemon.telemetry.series import gauges
from daemon.views import DecisionView, EpisodeView, Status

PREFIX: Final = "sidwatch_"
OUTCOMES: Final = ("ok", "failed", "timed_out", "lost", "skipped")
DECISIONS: Final[tuple[str, ...]] = get_args(DecisionView.model_fields["decision"].annotation)
_NOTHING_SEEN: Final = Looks()
_SAMPLES: Final = (5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000)
_HOUR: Final = 3600.0
_LONG_SECONDS: Final = (60, 600, _HOUR, 6 * _HOUR, 24 * _HOUR, 72 * _HOUR, 168 * _HOUR, 336 * _HOUR, 720 * _HOUR)
_SHORT_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class _Gauges(Collector):
    """The gauges of one snapshot and their text, written once: a scrape of 200 families' series only copies it."""

    def __init__(self, metrics: tuple[Metric, ...]) -> None:
        self.metrics = metrics
        self.text = generate_latest(self)

    def collect(self) -> Iterable[Metric]:
        return self.metrics


class _Snapshot(Collector):
    """The gauges of the last snapshot; swapped as a whole, so a scrape never sees half of one."""

    def __init__(self) -> None:
        self.gauges = _Gauges(gauges(None, cap=0, prefix=PREFIX))

    def collect(self) -> Iterable[Metric]:
        return self.gauges.metrics


class Telemetry:
    """The service's own registry; methods may be called from any thread.

    version, revision: of the program. family_cap: most families with series of their own.
    """

    def __init__(self, version: str, revision: str = "", family_cap: int = 200) -> None:
        if family_cap < 1:
            raise ValueError(f"family_cap must be at least 1, not {family_cap}")
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody reads
        self._cap = family_cap
        self._lock = threading.Lock()
        self._episodes_seen: set[tuple[str, str, datetime]] = set()
        self._alarmed: dict[str, float] = {}  # family -> seconds since 1970, by this machine
        self._snapshot = _Snapshot()
        self._counting = registry = CollectorRegistry(auto_describe=True)  # what happens: few series
        self.registry = CollectorRegistry()  # both
        self.registry.register(self._snapshot)
        self.registry.register(registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(PREFIX + name, text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(PREFIX + name, text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(PREFIX + name, text, labels, registry=registry, buckets=buckets)

        gauge("build_info", "1; the program that runs.", "version", "revision").labels(version, revision).set(1)
        self._ingested = counter("samples_ingested", "New samples stored.", "adapter")
        self._rejected = counter("samples_rejected", "Candidates refused, never stored.", "adapter", "reason")
        self._quarantined = counter("samples_quarantined", "Samples set apart.", "adapter", "reason")
        self._fetch = histogram("adapter_fetch_duration_seconds", "Duration of one poll.", _SHORT_SECONDS, "adapter")
        self._runs = counter("job_runs", "Finished runs.", "job", "outcome")
        self._job_success = gauge("job_last_success_timestamp_seconds", "When a job last ended well.", "job")
        self._job_seconds = histogram("job_duration_seconds", "Duration of a run.", _SHORT_SECONDS, "job")
        self._promotions = counter("promotions", "Decisions on challengers.", "decision")
        for decision in DECISIONS:
            self._promotions.labels(decision)
        self._detect_samples = histogram("episode_detect_samples", "Samples from first vote to alarm.", _SAMPLES)
        self._detect_seconds = histogram("episode_detect_seconds", "Time from first vote to alarm.", _LONG_SECONDS)
        self._learn_seconds = histogram("episode_learn_seconds", "Time from alarm to promotion.", _LONG_SECONDS)
        self._recover_seconds = histogram("episode_recover_seconds", "Time from alarm to recovery.", _LONG_SECONDS)
        self._store_size = gauge("store_size_bytes", "Size of the state directory.")
        self._store_free = gauge("store_free_bytes", "Free space of the file system that holds it.")
        for unknown in (self._store_size, self._store_free):
            unknown.set(float("nan"))  # 0 would read as a full disk until the first look
        self._beat = gauge("loop_beat_timestamp_seconds", "Last sign of life of a loop, in wall time.", "loop")
        self._notification_failures = counter(
            "notification_failures", "Attempts to send a notification that failed.", "channel"
        )
        self._notifications = counter("notifications_sent", "Notifications that a channel took.", "channel")
        self.add_channel("log")
        self._encoded = counter("pictures_encoded", "Pictures that went through the encoder.")

    # --- one snapshot -------------------------------------------------------------------------------------

    def restore(
        self, status: Status, runs: Mapping[tuple[str, str], int] | None = None, looks: Looks = _NOTHING_SEEN
    ) -> None:
        """Raise the counters to what the store remembers, then publish; called before readiness.

        runs: (job, outcome) -> how many runs ended so. Counters never go back: one that is already higher stays.
        Calling it twice changes nothing.
        """
        for adapter in status.adapters:
            self.add_adapter(adapter.name)
            _raise_to(self._ingested.labels(adapter.name), adapter.stored)
            for reason, n in adapter.rejected.items():
                _raise_to(self._rejected.labels(adapter.name, _known(reason, REASONS)), n)
            for reason, n in adapter.quarantined.items():
                _raise_to(self._quarantined.labels(adapter.name, _known(reason, REASONS)), n)
        for (job, outcome), n in (runs or {}).items():
            self.add_job(job)
            _raise_to(self._runs.labels(job, _known(outcome, OUTCOMES)), n)
        finished = [(run.job, run.finished_at) for run in status.jobs if run.outcome == "ok" and run.finished_at]
        for job, at in sorted(finished, key=lambda pair: pair[1]):
            self.add_job(job)
            self._job_success.labels(job).set(at.timestamp())
        self._publish(status, looks, restoring=True)

    def publish(self, status: Status, looks: Looks = _NOTHING_SEEN) -> None:
        """Replace every gauge by the snapshot's; series of what vanished vanish. New episodes enter the histograms."""
        self._publish(status, looks, restoring=False)

    def _publish(self, status: Status, looks: Looks, *, restoring: bool) -> None:
        with self._lock:
            self._observe(status.episodes, restoring)
            found = gauges(status, self._cap, PREFIX, self._alarmed, looks)
            if found != self._snapshot.gauges.metrics:
                self._snapshot.gauges = _Gauges(found)
            # From the store, for people decide in processes of their own.
            for decision, n in status.decision_counts.items():
                _raise_to(self._promotions.labels(_known(decision, DECISIONS)), n)
            for channel in status.channels:
                _raise_to(self._notifications.labels(channel.channel), channel.sent)
                _raise_to(self._notification_failures.labels(channel.channel), channel.failures)

    def _observe(self, episodes: list[EpisodeView], restoring: bool) -> None:
        current: set[tuple[str, str, datetime]] = set()
        now = time.time()
        for episode in episodes:
            alarmed = ("alarmed", episode.family, episode.opened_at)
            current.add(alarmed)
            if alarmed not in self._episodes_seen:
                self._detect_samples.observe(episode.samples_to_alarm)
                self._detect_seconds.observe(max(0.0, (episode.alarmed_at - episode.opened_at).total_seconds()))
                at = episode.alarmed_at.timestamp() if restoring else now
                if at <= now:  # a time to come is a simulated one: when it was in ours, nobody remembers
                    self._alarmed[episode.family] = max(at, self._alarmed.get(episode.family, 0.0))
            if episode.learned_at is not None:
                learned = ("learned", episode.family, episode.opened_at)
                current.add(learned)
                if learned not in self._episodes_seen:
                    seconds = (episode.learned_at - episode.alarmed_at).total_seconds()
                    self._learn_seconds.observe(max(0.0, seconds))
            if episode.recovered_at is not None:
                recovered = ("recovered", episode.family, episode.opened_at)
                current.add(recovered)
                if recovered not in self._episodes_seen:
                    seconds = (episode.recovered_at - episode.alarmed_at).total_seconds()
                    self._recover_seconds.observe(max(0.0, seconds))
        # Episodes that left the snapshot are old and do not come back: forgetting them keeps memory flat.
        self._episodes_seen = current
        families = {episode.family for episode in episodes}
        self._alarmed = {family: at for family, at in self._alarmed.items() if family in families}

    # --- what happens -------------------------------------------------------------------------------------

    def add_adapter(self, adapter: str) -> None:
        """Make an adapter's counters exist at 0, so that the first increase is seen as one."""
        self._ingested.labels(adapter)
        self._fetch.labels(adapter)
        for reason in REASONS:
            self._rejected.labels(adapter, reason)
            self._quarantined.labels(adapter, reason)

    def add_job(self, job: str) -> None:
        """Make a job's counters exist at 0."""
        self._job_seconds.labels(job)
        for outcome in OUTCOMES:
            self._runs.labels(job, outcome)

    def sample_ingested(self, adapter: str, n: int = 1) -> None:
        """Count n new samples of an adapter."""
        self._ingested.labels(adapter).inc(n)

    def rejected(self, adapter: str, reason: str, n: int = 1) -> None:
        """Count n refused candidates; raises ValueError when the reason is not in `daemon.model.REASONS`."""
        self._rejected.labels(adapter, _known(reason, REASONS)).inc(n)

    def quarantined(self, adapter: str, reason: str, n: int = 1) -> None:
        """Count n samples set apart; raises ValueError when the reason is not in `daemon.model.REASONS`."""
        self._quarantined.labels(adapter, _known(reason, REASONS)).inc(n)

    def fetch(self, adapter: str, seconds: float) -> None:
        """Record how long one poll took."""
        self._fetch.labels(adapter).observe(max(0.0, seconds))

    def job_finished(self, job: str, outcome: str, seconds: float, at: datetime) -> None:
        """Record the end of a run; outcome: ok, failed, timed_out, lost or skipped; at: aware."""
        self._runs.labels(job, _known(outcome, OUTCOMES)).inc()
        self._job_seconds.labels(job).observe(max(0.0, seconds))
        if outcome == "ok":
            self._job_success.labels(job).set(at.timestamp())

    def beat(self, loop: str, at: datetime) -> None:
        """Record a loop's sign of life; at: wall time, aware."""
        self._beat.labels(loop).set(at.timestamp())

    def store_space(self, size_bytes: int, free_bytes: int) -> None:
        """Record the size of the state directory and the free space beside it, bytes."""
        self._store_size.set(size_bytes)
        self._store_free.set(free_bytes)

    def add_channel(self, channel: str) -> None:
        """Make a channel's counters exist at 0."""
        self._notifications.labels(channel)
        self._notification_failures.labels(channel)

    def notification_failed(self, channel: str) -> None:
        """Count a notification that could not be sent, of a way that keeps no count in the store."""
        self._notification_failures.labels(channel).inc()

    def pictures_encoded(self, n: int) -> None:
        """Count n pictures that went through the encoder."""
        self._encoded.inc(n)

    def exposition(self) -> tuple[bytes, str]:
        """Everything in the Prometheus text format and its content type."""
        return self._snapshot.gauges.text + generate_latest(self._counting), CONTENT_TYPE_PLAIN_0_0_4


def _known(word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ValueError(f"{word!r} is not one of {', '.join(words)}")
    return word


def _raise_to(counter: Counter, value: float) -> None:
    # prometheus_client has no public getter of a child's value; its own sample is the documented way to read one.
    current = next(sample.value for metric in counter.collect() for sample in metric.samples)
    if value > current:
        counter.inc(value - current)
