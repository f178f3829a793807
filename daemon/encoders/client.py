"""The service's view of the encoder: a long-lived child that serves scoring requests before backlog."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from daemon.children.child import Child
from daemon.children.environment import KEEPS_MEMORY
from daemon.children.frames import BadFrame, Frame, vectors_of
from daemon.children.frames import Limits as FrameLimits
from daemon.encoders.external import ExternalEncoder
from daemon.encoders.gathering import Gathering, Turn, always
from daemon.encoders.hello import Hello, read_hello, same_encoder, storable
from daemon.errors import ChildFailed, ConfigurationError, ImageRejected, SidwatchError
from daemon.intake.decode import check_size
from daemon.intake.inspecting import limits_of
from daemon.model import PROFILES, REASONS, EncodingFailure, Profile
from daemon.settings import EncoderSettings, IntakeSettings

Vector = NDArray[np.float32]  # (d,)

_LARGEST_CHUNK = 8  # pictures in one request: an urgent one waits for at most so many of the backlog
_CHUNK_BYTES = 64 * 2**20  # and of so many bytes, unless it is one picture
_CHUNK_SECONDS = 2.0  # and for about so long: chunks of a slow encoder get smaller
_MOMENT = 0.005  # seconds that an urgent request waits for others, to be encoded with them
_START = 900.0  # seconds to import torch and load weights; a busy machine took more than 300
_DOWNLOAD = 4 * 3600.0  # seconds to fetch them first
_HUB_SECRETS = ("HF_TOKEN", "HF_TOKEN_PATH")


Encoded = dict[Profile, Vector] | EncodingFailure

_log = structlog.get_logger(__name__)


class EncoderClient:
    """Encodes pictures in a child process; safe to use from any thread.

    settings, intake: the sections of the configuration. Starts the child at once; raises WeightsMissing or
    ConfigurationError as the child found it, ChildFailed when it does not come up. For `external` there is no
    child and pictures cannot be encoded.
    """

    name: str
    dimension: int
    fingerprint: str
    parts: dict[str, slice]  # columns of each encoder in a vector: one, unless it is fused
    golden: dict[Profile, Vector]  # what it makes of the golden picture

    def __init__(self, settings: EncoderSettings, intake: IntakeSettings) -> None:
        self._settings = settings
        self._limits = limits_of(intake)
        self._turn = Turn()
        self._gathering: Gathering[Encoded] = Gathering(
            self._turn,
            lambda contents, profile: self._encode_chunk(contents, [profile]),
            most=_LARGEST_CHUNK,
            most_bytes=_CHUNK_BYTES,
            moment=_MOMENT,
        )
        self._chunk = 1
        self._closed = False
        self._hello: Hello | None = None
        self._child: Child | None = None
        self.encodes_pictures = settings.name != "external"
        if self.encodes_pictures:
            self._child = self._start()
        else:
            external = ExternalEncoder(settings.external)
            self.name, self.dimension, self.fingerprint = external.name, external.dimension, external.fingerprint
            self.parts, self.golden = {self.name: slice(0, self.dimension)}, {}

    def encode_many(self, items: Sequence[bytes], profiles: Sequence[Profile] = PROFILES) -> list[Encoded]:
        """Encode a backlog, giving way to urgent requests between chunks.

        items: encoded pictures. Returns for each its float32 vectors by profile, or why there is none; a picture
        on which the child dies is `decoder_crashed` and the others are not harmed. Raises ChildFailed when the
        child cannot be started again.
        """
        encoded: list[Encoded] = []
        while len(encoded) < len(items):
            with self._turn.later():
                chunk = self._fitting(items, len(encoded))
                ahead = self._fitting(items, len(encoded) + len(chunk))
                began = time.monotonic()
                encoded += self._encode_chunk(chunk, profiles, ahead)
                self._adapt(len(chunk), time.monotonic() - began)
        return encoded

    def encode_now(self, content: bytes, profile: Profile = "raw", *, wanted: Callable[[], bool] = always) -> Vector:
        """Encode one picture before anything that waits, together with others that are asked for at the time.

        wanted: asked when its turn comes; when it says no TemporaryError is raised and nothing is encoded.
        Returns (d,) float32. Raises ImageRejected, ChildFailed.
        """
        check_size(content, self._limits)
        outcome = self._gathering.ask(content, profile, wanted)
        if isinstance(outcome, EncodingFailure):
            raise ImageRejected(outcome.reason, outcome.detail)
        return outcome[profile]

    def close(self) -> None:
        """End the child after the chunk that it is at; later calls raise ChildFailed."""
        with self._turn.first():
            self._closed = True
            if self._child is not None:
                self._child.close()
                self._child = None

    def _fitting(self, items: Sequence[bytes], start: int) -> list[bytes]:
        """The pictures of one request, from `start` on."""
        chunk: list[bytes] = []
        for content in items[start : start + self._chunk]:
            if chunk and sum(map(len, chunk)) + len(content) > _CHUNK_BYTES:
                break
            chunk.append(content)
        return chunk

    def _adapt(self, count: int, seconds: float) -> None:
        fitting = int(_CHUNK_SECONDS * count / max(seconds, 1e-3))
        self._chunk = max(1, min(_LARGEST_CHUNK, fitting))

    def _encode_chunk(
        self, chunk: Sequence[bytes], profiles: Sequence[Profile], ahead: Sequence[bytes] | None = None
    ) -> list[Encoded]:
        """ahead: what will be asked for next, prepared meanwhile; None: this goes before whatever is being prepared."""
        try:
            return self._ask(chunk, profiles, ahead)
        except _Died as error:
            if len(chunk) == 1 and error.cause == "deadline":
                return [EncodingFailure("decoder_crashed", str(error))]
            _log.warning("the encoder's child died; its pictures are tried one by one", reason=str(error))
        # A single picture is tried again too: somebody else may have killed the child.
        return [self._encode_alone(content, profiles) for content in chunk]

    def _encode_alone(self, content: bytes, profiles: Sequence[Profile]) -> Encoded:
        try:
            return self._ask([content], profiles)[0]
        except _Died as error:
            return EncodingFailure("decoder_crashed", str(error))

    def _ask(
        self, chunk: Sequence[bytes], profiles: Sequence[Profile], ahead: Sequence[bytes] | None = None
    ) -> list[Encoded]:
        child = self._running()
        header: dict[str, Any] = {"profiles": list(profiles)}
        if ahead is not None:
            header["ahead"] = len(ahead)
        try:
            return self._outcomes(child.request(header, [*chunk, *(ahead or ())]), len(chunk), profiles)
        except ChildFailed as error:
            raise _Died(child.cause, str(error)) from error
        except BadFrame as error:
            child.kill("garbage", f"answered with garbage: {error}")
            child.close()
            raise _Died("garbage", str(error)) from error

    def _outcomes(self, answer: Frame, count: int, profiles: Sequence[Profile]) -> list[Encoded]:
        failures = answer.header.get("failures")
        if not isinstance(failures, list) or len(failures) != count or len(answer.parts) != count:
            raise BadFrame("not one outcome per picture")
        return [self._outcome(failure, part, profiles) for failure, part in zip(failures, answer.parts, strict=True)]

    def _outcome(self, failure: Any, part: bytes, profiles: Sequence[Profile]) -> Encoded:
        if failure is not None:
            if not isinstance(failure, list) or len(failure) != 2 or failure[0] not in REASONS:
                raise BadFrame("a failure without a known reason")
            return EncodingFailure(failure[0], str(failure[1]))
        vectors = vectors_of(part, self.dimension)
        if len(vectors) != len(profiles):
            raise BadFrame("not one vector per profile")
        if not storable(vectors):
            return EncodingFailure("encoding_failed", "the vector is not finite, or is too large for float16")
        return dict(zip(profiles, vectors, strict=True))

    def _running(self) -> Child:
        if self._closed:
            raise ChildFailed("the encoder is closed")
        if not self.encodes_pictures:
            raise ConfigurationError(
                "encoder.name is external: vectors are delivered ready-made, pictures are not encoded"
            )
        if self._child is None or not self._child.alive:
            self._child = self._start()
        return self._child

    def _start(self) -> Child:
        clip = "open_clip" in self._settings.parts
        # numpy's threads are those of the pipeline; torch is told its own number.
        threads = {"OPENBLAS_NUM_THREADS": "1"} | ({} if clip else {"OMP_NUM_THREADS": "1"})
        secrets = {name: os.environ[name] for name in _HUB_SECRETS if name in os.environ and clip}
        child = Child(
            "encode",
            {"settings": self._settings.model_dump(mode="json"), "limits": dataclasses.asdict(self._limits)},
            deadline=self._settings.deadline.total_seconds(),
            memory_limit=self._settings.memory_limit,
            environment={**threads, **secrets, **KEEPS_MEMORY},
            limits=FrameLimits(header=2**20, parts=_LARGEST_CHUNK, total=64 * 2**20),
        )
        try:
            self._meet(child)
        except SidwatchError:
            child.close()
            raise
        return child

    def _meet(self, child: Child) -> None:
        """Hear what the child is; raises what kept it from becoming that."""
        frame = child.receive(deadline=_START)
        while "starting" in frame.header:
            _log.warning("the encoder is starting", doing=str(frame.header["starting"])[:200])
            frame = child.receive(deadline=_DOWNLOAD)
        try:
            hello = read_hello(frame)
        except BadFrame as error:
            raise ChildFailed(f"the encode child introduced itself with garbage: {error}") from error
        if self._hello is not None and not same_encoder(hello, self._hello):
            raise ConfigurationError(
                "encoder: the weights or libraries changed while the service ran: restart it to take the new encoder"
            )
        self._hello = hello
        self.name, self.dimension, self.fingerprint = hello.name, hello.dimension, hello.fingerprint
        self.parts, self.golden = hello.parts, hello.golden


class _Died(Exception):
    """The child died while it was asked; it is up to the caller whose fault that was."""

    def __init__(self, cause: str | None, message: str) -> None:
        super().__init__(message)
        self.cause = cause
