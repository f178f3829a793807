"""The `feedback` command's work: what a person says of files, or of pictures that were taken in before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.app import is_running, opened
from daemon.errors import BadInputError
from daemon.intake.reporting import report_known, report_picture, view_of
from daemon.model import Report
from daemon.ports import Progress
from daemon.runs import tick
from daemon.settings import Settings

_DIGEST = re.compile(r"[0-9a-f]{64}")


def report_files(
    settings: Settings, pictures: Sequence[str], report: Report, actor: str, progress: Progress
) -> list[dict[str, Any]]:
    """What became of each report. One transaction each, so it needs no lock and may happen beside a running service.

    pictures: files, or sha256 of pictures that were taken in. Raises BadInputError before anything is written when a
    file cannot be read.
    """
    contents = [None if _DIGEST.fullmatch(name) else _read(Path(name)) for name in pictures]
    found = []
    with opened(settings, encoder=False, lock=False) as state:
        for number, (name, content) in enumerate(zip(pictures, contents, strict=True), start=1):
            if content is None:
                done = report_known(state.context, name, report, actor)
            else:
                done = report_picture(state.context, content, report, actor)
            found.append({"picture": name, **view_of(report, done).model_dump(mode="json")})
            progress("feedback", number, len(pictures))
        if is_running(settings):
            tick(state.context, "cycle")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
