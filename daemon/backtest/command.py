"""What `sidwatch backtest` does; printing is the command's."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from daemon import __version__
from daemon.app import kept_in
from daemon.backtest.cache import CachingEncoder, CachingInspector, Pictures
from daemon.backtest.calendar import make_calendar
from daemon.backtest.collection import Collection, adapter_of, encode_collection, read_collection
from daemon.backtest.page import render
from daemon.backtest.policies import POLICIES, Policy
from daemon.backtest.replaying import Ground, replay_all
from daemon.backtest.report import Report
from daemon.encoders.stopped import StoppedEncoder
from daemon.errors import BadInputError
from daemon.intake.inspecting import InspectorClient
from daemon.ports import DerivedFiles, Progress
from daemon.reembed.recorded import named
from daemon.settings import Settings
from daemon.wiring import make_poller, start_encoder
from daemon.writing import write_for_person

MARKER = "sidwatch-backtest"  # a folder with this file is a back-test's own
_RULES = 2  # how policies learn; whatever changes it must count it up


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for."""

    manifest: Path
    state: Path
    policies: tuple[str, ...] = ()  # of POLICIES; none: all
    encoder: str | None = None  # None: as configured
    period: int = 4  # families of one period, at least
    weeks: int = 4  # over which a family's pictures arrive
    html: Path | None = None


def back_test(settings: Settings, asked: Asked, progress: Progress) -> dict[str, Any]:
    """Replay a collection under every policy asked for; returns the report, and writes its page when one is named.

    What an earlier process did with the same collection, configuration and program is not done again.
    Raises BadInputError, StateLocked, WeightsMissing, ConfigurationError, ChildFailed.
    """
    policies = [POLICIES[name] for name in dict.fromkeys(asked.policies or POLICIES)]
    if asked.encoder is not None:
        settings = settings.model_copy(update={"encoder": named(settings.encoder, asked.encoder)})
    if settings.encoder.name == "external":
        raise BadInputError("encoder.name is external: a back-test encodes pictures itself; `--encoder` names another")
    manifest = asked.manifest.resolve()
    if asked.html is not None and not os.access(asked.html.resolve().parent, os.W_OK):  # now, not after an hour
        raise BadInputError(f"{asked.html} cannot be written: its folder is not there or not yours to write in")
    _claim(asked.state)
    with kept_in(asked.state) as files:
        collection, encoder = _prepare(settings, manifest, files, progress)
        calendar = make_calendar(collection.entries, asked.period, asked.weeks)
        folder = asked.state / "runs" / _identity(settings, collection, encoder.fingerprint, asked)
        ground = Ground(
            settings, collection.entries, asked.period, asked.weeks, manifest, asked.state, encoder.fingerprint, folder
        )
        found = replay_all(ground, _longest_first(policies), progress)
    report = {
        **Report(calendar, {p.name: found[p.name] for p in policies}, settings.evaluate).to_dict(),
        "manifest": str(manifest),
        "encoder": {"name": settings.encoder.name, "fingerprint": encoder.fingerprint},
        "pictures": len(collection.entries),
        "left_out": dict(collection.rejected),
        "weeks": asked.weeks,
        "states": {policy.name: str((folder / policy.name / "state").resolve()) for policy in policies},
    }
    if asked.html is not None:
        write_for_person(asked.html, render(report))
    return report


def _longest_first(policies: Sequence[Policy]) -> list[Policy]:
    """So that none of those that take long is left over at the end, alone."""
    return sorted(policies, key=lambda policy: policy.takes, reverse=True)


def _prepare(
    settings: Settings, manifest: Path, files: DerivedFiles, progress: Progress
) -> tuple[Collection, CachingEncoder]:
    """The collection with every picture encoded, and what gives the vectors again."""
    with closing(InspectorClient(settings.intake)) as inspector:
        poll = make_poller(settings, adapter_of(manifest))
        collection = read_collection(
            manifest, files, CachingInspector(files, inspector), poll, settings.intake, progress
        )
    with closing(start_encoder(settings.encoder, settings.intake)) as client:
        collection = encode_collection(collection, Pictures(files), CachingEncoder(files, client), progress)
        return collection, CachingEncoder(files, StoppedEncoder(client.fingerprint))


def _claim(state: Path) -> None:
    """Make the folder a back-test's own. Raises BadInputError when it holds something else."""
    marker = state / MARKER
    try:
        if state.is_dir() and any(state.iterdir()) and not marker.exists():
            raise BadInputError(f"{state} is not empty and no back-test's folder; `--state` names another")
        state.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError as error:
        raise BadInputError(f"{state} cannot be used ({error.strerror}); `--state` names another folder") from error


def _identity(settings: Settings, collection: Collection, fingerprint: str, asked: Asked) -> str:
    """What decides a replay: another collection, configuration, encoder, calendar or program begins anew."""
    decides = settings.model_dump(mode="json", exclude={"store", "clock", "adapters", "http", "log", "schedule"})
    parts = [__version__, _RULES, collection.digest, fingerprint, asked.period, asked.weeks, decides]
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]
