"""What `sidwatch explain` does; printing is the command's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.app import is_simulated, opened
from daemon.errors import BadInputError
from daemon.explain.family import explain_family
from daemon.explain.page import PictureOnPage, render_family, render_pictures
from daemon.explain.thumbnail import thumbnails
from daemon.operations import judge_picture, read_picture, version_or_champion
from daemon.service import Service
from daemon.settings import Settings
from daemon.wiring import make_telemetry
from daemon.writing import write_for_person


def explain_files(settings: Settings, images: Sequence[Path], html: Path | None) -> list[dict[str, Any]]:
    """Judge files by the champion and say why; writes a page of them when `html` names one."""
    if html is not None and html.resolve() in {path.resolve() for path in images}:
        raise BadInputError(f"--html would write over the picture {html}; name another file")
    contents = [read_picture(path, settings.intake.max_bytes) for path in images]
    with opened(settings, encoder=True, lock=False, read_only=True) as state:
        service = Service(state.context, make_telemetry(settings), state.simulated)
        found = [judge_picture(path, service.explain, content) for path, content in zip(images, contents, strict=True)]
    if html is not None:
        shown = [
            PictureOnPage(str(path), picture, view)
            for path, picture, view in zip(images, thumbnails(contents, settings.intake), found, strict=True)
        ]
        write_for_person(html, render_pictures(shown, simulated=is_simulated(settings)))
    return [{"path": str(path), **view.model_dump(mode="json")} for path, view in zip(images, found, strict=True)]


def explain_family_now(settings: Settings, family: str, html: Path | None) -> dict[str, Any]:
    """What sets a family apart, from the store alone; writes a page of it when `html` names one."""
    with opened(settings, encoder=False, lock=False, read_only=True) as state:
        found = explain_family(state.context, version_or_champion(state.context, None), family)
    if html is not None:
        write_for_person(html, render_family(found, simulated=is_simulated(settings)))
    return found.model_dump(mode="json")
