"""The decoding children and their client: a picture that crashes the decoder is named, and costs nobody else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from queue import LifoQueue
from typing import TYPE_CHECKING, Any

from daemon.children.child import Child
from daemon.children.frames import BadFrame, Frame
from daemon.children.frames import Limits as FrameLimits
from daemon.children.host import Host
from daemon.errors import ChildFailed, ImageRejected, SidwatchError
from daemon.intake.decode import FORMATS, Limits, check_size
from daemon.intake.file_facts import checked_facts
from daemon.intake.filtering import load_filters, refuse_filtered
from daemon.model import Inspected

if TYPE_CHECKING:  # the child does without pydantic
    from daemon.settings import IntakeSettings

_START = 60.0  # seconds that a new child may take to say that it is there
_ATTEMPTS = 2  # the first time somebody else may have killed the child, or the picture before filled its memory


def limits_of(intake: IntakeSettings) -> Limits:
    """The part of the settings that the decoder needs."""
    return Limits(intake.max_bytes, intake.max_pixels, intake.min_side)


class InspectorClient:
    """Inspects pictures in long-lived children, one at a time in each; safe to use from any thread."""

    def __init__(self, intake: IntakeSettings) -> None:
        self._limits = limits_of(intake)
        # The last one back is the first one out: where one at a time is asked for, one child is enough.
        self._idle: LifoQueue[_Decoder] = LifoQueue()
        self._decoders = tuple(_Decoder(intake) for _ in range(intake.decoders))
        for decoder in reversed(self._decoders):
            self._idle.put(decoder)

    def inspect(self, content: bytes) -> Inspected:
        """What the picture is.

        Raises ImageRejected with a reason of REASONS (`decoder_crashed` when the child died, overran or took too
        much memory on it), ChildFailed when no child can be started.
        """
        check_size(content, self._limits)
        with self._one() as decoder:
            return decoder.inspect(content)

    def close(self) -> None:
        """End the children, each after the picture that it is at."""
        taken = [self._idle.get() for _ in self._decoders]
        for decoder in taken:
            decoder.close()
            self._idle.put(decoder)

    @contextmanager
    def _one(self) -> Iterator[_Decoder]:
        decoder = self._idle.get()
        try:
            yield decoder
        finally:
            self._idle.put(decoder)


class _Decoder:
    """One child, started when it is first needed and again when it died; for one thread at a time."""

    def __init__(self, intake: IntakeSettings) -> None:
        self._intake = intake
        self.child: Child | None = None

    def inspect(self, content: bytes) -> Inspected:
        for attempt in range(1, _ATTEMPTS + 1):
            child = self._running()
            try:
                return _inspected(child.request({}, [content]))
            except ChildFailed as error:
                self.child = None
                if child.cause == "deadline" or attempt == _ATTEMPTS:
                    raise ImageRejected("decoder_crashed", str(error)) from error
            except BadFrame as error:
                child.kill("garbage", f"answered with garbage: {error}")
                child.close()
                self.child = None
                raise ImageRejected("decoder_crashed", str(error)) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def close(self) -> None:
        if self.child is not None:
            self.child.close()
            self.child = None

    def _running(self) -> Child:
        if self.child is None or not self.child.alive:
            child = Child(
                "inspect",
                {
                    "limits": dataclasses.asdict(limits_of(self._intake)),
                    "filters": [one.model_dump(mode="json") for one in self._intake.filters],
                },
                deadline=self._intake.deadline.total_seconds(),
                memory_limit=self._intake.memory_limit,
                limits=FrameLimits(header=65_536, parts=0, total=0),
            )
            try:
                child.receive(deadline=_START)
            except SidwatchError:
                child.close()
                raise
            self.child = child
        return self.child


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """The child: answer requests for ever."""
    import imagehash  # noqa: F401  before the first picture, so that none pays for it

    from daemon.intake.decode import inspect

    limits = Limits(**arguments["limits"])
    filters = load_filters(arguments["filters"])
    ask = partial(refuse_filtered, filters=filters)
    host.send({"ready": True})
    while True:
        request = host.receive()
        try:
            host.send({"inspected": dataclasses.asdict(inspect(request.part(0), limits, ask))})
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
