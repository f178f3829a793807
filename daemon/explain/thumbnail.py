"""A small copy of a picture for the page; made in a child, for the bytes are untrusted."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

from daemon.children.child import Child
from daemon.children.frames import Limits as FrameLimits
from daemon.children.host import Host
from daemon.errors import ImageRejected
from daemon.intake.decode import Limits, decode
from daemon.intake.inspecting import limits_of
from daemon.settings import IntakeSettings

SIDE = 480  # pixels
_BYTES = 2 * 2**20


def thumbnails(contents: list[bytes], intake: IntakeSettings) -> list[bytes]:
    """JPEG copies of at most 480 px, in the same order. Raises ImageRejected, ChildFailed."""
    child = _child(intake)
    try:
        return [child.request({}, [content]).part(0) for content in contents]
    finally:
        child.close()


def thumbnails_of(contents: list[bytes], intake: IntakeSettings) -> list[bytes | None]:
    """The same; None for a picture that the decoder refuses. Raises ChildFailed."""
    if not contents:
        return []
    child = _child(intake)
    made: list[bytes | None] = []
    try:
        for content in contents:
            try:
                made.append(child.request({}, [content]).part(0))
            except ImageRejected:
                made.append(None)
    finally:
        child.close()
    return made


def _child(intake: IntakeSettings) -> Child:
    return Child(
        "thumbnail",
        dataclasses.asdict(limits_of(intake)),
        deadline=intake.deadline.total_seconds() + 30.0,  # the first one waits for imports
        memory_limit=intake.memory_limit,
        limits=FrameLimits(header=65_536, parts=1, total=_BYTES),
    )


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """The child: answer requests for ever."""
    limits = Limits(**arguments)
    while True:
        try:
            host.send({}, [shrink(host.receive().part(0), limits)])
        except ImageRejected as error:
            host.send_error(error)


def shrink(content: bytes, limits: Limits) -> bytes:
    """JPEG bytes of the picture at a longest side of at most 480 px. Raises ImageRejected."""
    from PIL import Image

    picture = Image.fromarray(decode(content, limits))
    picture.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=88)
    return written.getvalue()
