"""The encoder's child process: pictures come as encoded bytes, vectors go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from daemon.children.host import Host
from daemon.encoders import build
from daemon.errors import ImageRejected
from daemon.intake.decode import Limits, decode
from daemon.model import Profile
from daemon.ports import Encoder
from daemon.settings import EncoderSettings

Picture = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Failure = tuple[str, str]  # (reason of REASONS, detail)


@runtime_checkable
class PreparingEncoder(Protocol):
    """An encoder that works best in batches: what precedes the forward pass is a step of its own."""

    dimension: int

    def prepare(self, picture: Picture) -> NDArray[np.float32]: ...
    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> Vectors: ...


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """Build the encoder, say hello, answer requests for ever."""
    settings = EncoderSettings.model_validate(arguments["settings"])
    limits = Limits(**arguments["limits"])
    encoder = _build(settings, host)
    host.send({"name": encoder.name, "dimension": encoder.dimension, "fingerprint": encoder.fingerprint})
    with ThreadPoolExecutor(settings.threads, thread_name_prefix="encode") as pool:
        while True:
            request = host.receive()
            found = encode(pool, encoder, request.parts, request.header["profiles"], limits)
            host.send(
                {"failures": [list(one) if isinstance(one, tuple) else None for one in found]},
                [b"" if isinstance(one, tuple) else one.astype("<f4").tobytes() for one in found],
            )


def encode(
    pool: ThreadPoolExecutor, encoder: Encoder, contents: Sequence[bytes], profiles: Sequence[Profile], limits: Limits
) -> list[Vectors | Failure]:
    """Encode pictures under every profile, each decoded once.

    Returns for each picture (profiles, d) float32, or why not.
    """
    if isinstance(encoder, PreparingEncoder):
        return _in_batches(pool, encoder, contents, profiles, limits)

    def one(content: bytes) -> Vectors | Failure:
        found = _forms(content, profiles, limits)
        if isinstance(found, tuple):
            return found
        try:
            return np.stack([encoder.encode(form) for form in found])
        except (ArithmeticError, ValueError) as error:
            return "encoding_failed", f"{type(error).__name__}: {error}"[:200]

    return list(pool.map(one, contents))


def _build(settings: EncoderSettings, host: Host) -> Encoder:
    if settings.name != "open_clip":
        return build(settings.name, settings)
    from daemon.encoders.open_clip import OpenClipEncoder

    return OpenClipEncoder(
        settings.open_clip, threads=settings.threads, announce=lambda text: host.send({"starting": text})
    )


def _in_batches(
    pool: ThreadPoolExecutor,
    encoder: PreparingEncoder,
    contents: Sequence[bytes],
    profiles: Sequence[Profile],
    limits: Limits,
) -> list[Vectors | Failure]:
    def one(content: bytes) -> list[Vectors] | Failure:
        found = _forms(content, profiles, limits)
        return found if isinstance(found, tuple) else [encoder.prepare(form) for form in found]

    found = list(pool.map(one, contents))
    prepared = [form for each in found if not isinstance(each, tuple) for form in each]
    vectors = iter(encoder.encode_prepared(prepared).reshape(-1, len(profiles), encoder.dimension))
    return [each if isinstance(each, tuple) else next(vectors) for each in found]


def _forms(content: bytes, profiles: Sequence[Profile], limits: Limits) -> list[Picture] | Failure:
    """The picture under each profile."""
    try:
        picture = decode(content, limits)
    except ImageRejected as error:
        return error.reason, error.detail
    return [picture if profile == "raw" else _launder(picture) for profile in profiles]


def _launder(picture: Picture) -> Picture:
    from daemon.encoders.launder import launder

    return launder(picture)
