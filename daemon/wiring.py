"""Puts a context together from open ports and the configuration; what is heavy to import is imported here."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from functools import partial

from daemon import __version__
from daemon.champion import ChampionCache
from daemon.context import Context
from daemon.encoders.client import EncoderClient
from daemon.encoders.golden import check_golden
from daemon.encoders.pool import Encoders
from daemon.encoders.stopped import stopped_encoder
from daemon.evaluate.measuring import differing_figures
from daemon.heads import read
from daemon.intake.inspecting import InspectorClient
from daemon.intake.polling import poll_in_child
from daemon.learn.automatic import JOB
from daemon.model import FEEDBACK, PUSH
from daemon.notify.channels import make_channels
from daemon.notify.notifying import LogNotifier
from daemon.ports import (
    Clock,
    DerivedFiles,
    GoldenLog,
    Meter,
    Migrations,
    Notifier,
    Poller,
    Progress,
    Registry,
    RunLog,
    SampleStore,
)
from daemon.reembed.in_force import start_in_force
from daemon.settings import AdapterSettings, EncoderSettings, IntakeSettings, Settings
from daemon.telemetry import Telemetry

__all__ = [
    "check_artifact",
    "differing_figures",
    "make_context",
    "make_poller",
    "make_telemetry",
    "start_checked_encoder",
    "start_encoder",
]


def make_context(
    settings: Settings,
    clock: Clock,
    samples: SampleStore,
    registry: Registry,
    runs: RunLog,
    golden: GoldenLog,
    migrations: Migrations,
    *,
    derived: DerivedFiles,
    encoder: bool,
    read_only: bool,
    meter: Meter | None,
    notifier: Notifier | None,
    progress: Progress,
    stack: ExitStack,
) -> Context:
    """The context of a process; what it starts is ended when `stack` unwinds.

    encoder: start the encoder's process; without it the context knows the champion's fingerprint and encodes nothing.
    read_only: the store is; what the encoder makes of the golden picture is compared and not recorded.
    Raises WeightsMissing, ConfigurationError, ChildFailed.
    """
    start = partial(start_checked_encoder, settings, golden, clock.now(), record_golden=not read_only)
    if encoder:
        encoders = start_in_force(settings.encoder, registry, migrations, start)
    else:
        encoders = Encoders(stopped_encoder(registry), None, start)
    stack.callback(encoders.close)
    inspector = InspectorClient(settings.intake)
    stack.callback(inspector.close)
    return Context(
        settings=settings,
        clock=clock,
        samples=samples,
        registry=registry,
        runs=runs,
        migrations=migrations,
        encoders=encoders,
        inspector=inspector,
        poller=partial(make_poller, settings),
        notifier=notifier or LogNotifier(),
        meter=meter or make_telemetry(settings),
        champion=ChampionCache(registry),
        progress=progress,
        derived=derived,
        channels=() if read_only else make_channels(settings.notify.channels),
    )


def make_telemetry(settings: Settings) -> Telemetry:
    """The metrics of this process, with the series of every configured adapter and job from the start."""
    telemetry = Telemetry(__version__)
    telemetry.add_job("cycle")
    telemetry.add_job("reembed")
    telemetry.add_job(JOB)
    for channel in settings.notify.channels:
        if channel.enabled:
            telemetry.add_job("notify")
            telemetry.add_channel(channel.name)
    telemetry.add_adapter(FEEDBACK)
    telemetry.add_adapter(PUSH)
    for adapter in settings.adapters:
        if adapter.enabled:
            telemetry.add_adapter(adapter.name)
            telemetry.add_job(f"intake_{adapter.name}")
    return telemetry


def make_poller(settings: Settings, adapter: AdapterSettings, *, preview: bool = False) -> Poller:
    """A poller with the adapter's own limits and secrets; preview: adapters that make pictures make none."""
    return partial(
        poll_in_child,
        deadline=adapter.deadline.total_seconds(),
        memory_limit=adapter.memory_limit,
        secrets={name: value.get_secret_value() for name, value in adapter.secrets.items()},
        max_bytes=settings.intake.max_bytes,
        preview=preview,
    )


def start_encoder(encoder: EncoderSettings, intake: IntakeSettings) -> EncoderClient:
    """The encoder in its process, beside any store. Raises WeightsMissing, ConfigurationError, ChildFailed."""
    if "open_clip" in encoder.parts:
        from daemon.encoders.weights import locate_weights  # here: it brings an HTTP client

        locate_weights(encoder.open_clip)  # says in seconds what the child would say after importing torch
    return EncoderClient(encoder, intake)


def check_artifact(tensors: bytes, manifest: bytes) -> None:
    """Raises CorruptArtifact when a version's files are not whole or its anchors do not score as recorded."""
    read(tensors, manifest)


def start_checked_encoder(
    settings: Settings, golden: GoldenLog, now: datetime, encoder: EncoderSettings, *, record_golden: bool
) -> EncoderClient:
    """The encoder in its process, what it makes of the golden picture compared. Raises as `start_encoder`."""
    client = start_encoder(encoder, settings.intake)
    try:
        check_golden(client, golden, now, record=record_golden)
    except BaseException:
        client.close()
        raise
    return client
