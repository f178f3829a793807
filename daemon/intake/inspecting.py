"""The decoding child and its client: a picture that crashes the decoder is named, and costs nobody else."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import Any

from daemon.children.child import Child
from daemon.children.frames import BadFrame, Frame
from daemon.children.frames import Limits as FrameLimits
from daemon.children.host import Host
from daemon.errors import ChildFailed, ImageRejected, SidwatchError
from daemon.intake.decode import FORMATS, Limits, check_size
from daemon.intake.file_facts import checked_facts
from daemon.model import Inspected
from daemon.settings import IntakeSettings

_START = 60.0  # seconds that a new child may take to say that it is there
_ATTEMPTS = 2  # the first time somebody else may have killed the child, or the picture before filled its memory


def limits_of(intake: IntakeSettings) -> Limits:
    """The part of the settings that the decoder needs."""
    return Limits(intake.max_bytes, intake.max_pixels, intake.min_side)


class InspectorClient:
    """Inspects pictures in a long-lived child, one at a time; safe to use from any thread."""

    def __init__(self, intake: IntakeSettings) -> None:
        self._intake = intake
        self._limits = limits_of(intake)
        self._lock = threading.Lock()
        self._child: Child | None = None

    def inspect(self, content: bytes) -> Inspected:
        """What the picture is.

        Raises ImageRejected with a reason of REASONS (`decoder_crashed` when the child died, overran or took too
        much memory on it), ChildFailed when no child can be started.
        """
        check_size(content, self._limits)
        with self._lock:
            for attempt in range(1, _ATTEMPTS + 1):
                child = self._running()
                try:
                    return _inspected(child.request({}, [content]))
                except ChildFailed as error:
                    self._child = None
                    if child.cause == "deadline" or attempt == _ATTEMPTS:
                        raise ImageRejected("decoder_crashed", str(error)) from error
                except BadFrame as error:
                    child.kill("garbage", f"answered with garbage: {error}")
                    child.close()
                    self._child = None
                    raise ImageRejected("decoder_crashed", str(error)) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def close(self) -> None:
        """End the child, after the picture that it is at."""
        with self._lock:
            if self._child is not None:
                self._child.close()
                self._child = None

    def _running(self) -> Child:
        if self._child is None or not self._child.alive:
            child = Child(
                "inspect",
                dataclasses.asdict(self._limits),
                deadline=self._intake.deadline.total_seconds(),
                memory_limit=self._intake.memory_limit,
                limits=FrameLimits(header=65_536, parts=0, total=0),
            )
            try:
                child.receive(deadline=_START)
            except SidwatchError:
                child.close()
                raise
            self._child = child
        return self._child


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """The child: answer requests for ever."""
    import imagehash  # noqa: F401  before the first picture, so that none pays for it

    from daemon.intake.decode import inspect

    limits = Limits(**arguments)
    host.send({"ready": True})
    while True:
        request = host.receive()
        try:
            host.send({"inspected": dataclasses.asdict(inspect(request.part(0), limits))})
        except ImageRejected as error:
            host.send_error(error)


def _inspected(frame: Frame) -> Inspected:
    """Checked field by field: the child may have been taken over by what it decoded."""
    fields = frame.header.get("inspected")
    if not isinstance(fields, dict) or set(fields) != {"width", "height", "format", "phash", "facts"}:
        raise BadFrame("no inspection in the answer")
    width, height, phash = fields["width"], fields["height"], fields["phash"]
    if not (type(width) is int and type(height) is int and width > 0 and height > 0):
        raise BadFrame("the size is no size")
    if fields["format"] not in FORMATS or not isinstance(phash, str) or len(phash) != 16:
        raise BadFrame("format or hash are not what they should be")
    try:
        facts = checked_facts(fields["facts"])
    except ValueError as error:
        raise BadFrame(str(error)) from error
    return Inspected(width, height, fields["format"], phash, facts)
