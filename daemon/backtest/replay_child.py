"""The replaying child: one policy, from where an earlier process got to, to the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.app import kept_beside
from daemon.backtest.cache import CachingEncoder
from daemon.backtest.calendar import Entry, make_calendar
from daemon.backtest.policies import POLICIES
from daemon.backtest.replay import Replay
from daemon.children.host import Host
from daemon.encoders.stopped import StoppedEncoder
from daemon.settings import Settings
from daemon.telemetry import configure_logs


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """Replay, telling of every delivery; what was found is in the replay's folder, whole, before the last word."""
    configure_logs("error", "auto")
    files = kept_beside(Path(arguments["files"]))
    entries = [Entry(**entry) for entry in json.loads(host.receive().part(0))]
    replay = Replay(
        Settings.model_validate(arguments["settings"]),
        POLICIES[arguments["policy"]],
        make_calendar(entries, arguments["period"], arguments["weeks"]),
        Path(arguments["folder"]),
        Path(arguments["manifest"]),
        files,
        CachingEncoder(files, StoppedEncoder(arguments["fingerprint"])),
    )
    replay.run(lambda done, of: host.send({"done": done, "of": of}))
    host.send({"over": True})
    host.receive()  # ends this process when the parent has heard it
