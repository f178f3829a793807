"""The encoder's child process: pictures come as encoded bytes, vectors go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.children.host import Host
from daemon.encoders import build
from daemon.encoders.golden import golden_picture
from daemon.encoders.pipeline import Failure, Pipeline, Vectors
from daemon.intake.decode import Limits
from daemon.model import PROFILES
from daemon.ports import Encoder
from daemon.settings import EncoderSettings


def serve(host: Host, arguments: Mapping[str, Any]) -> None:
    """Build the encoder, say hello with what it makes of the golden picture, answer requests for ever.

    A request with `ahead` ends with so many pictures that are only to be prepared; one without goes before them.
    """
    settings = EncoderSettings.model_validate(arguments["settings"])
    encoder = build(settings.name, settings, announce=lambda text: host.send({"starting": text}))
    host.send(
        {
            "name": encoder.name,
            "dimension": encoder.dimension,
            "fingerprint": encoder.fingerprint,
            "parts": {name: [columns.start, columns.stop] for name, columns in parts_of(encoder).items()},
        },
        [_as_sent(vector) for vector in _golden(encoder)],
    )
    pipeline = Pipeline(encoder, settings.threads, Limits(**arguments["limits"]))
    while True:
        request = host.receive()
        profiles, ahead = request.header["profiles"], request.header.get("ahead")
        if ahead is None:
            found = pipeline.encode_now(request.parts, profiles)
        else:
            count = len(request.parts) - ahead
            found = pipeline.encode(request.parts[:count], profiles, request.parts[count:])
        host.send(*_answer(found))


def parts_of(encoder: Encoder) -> Mapping[str, slice]:
    """The columns of each encoder in a vector: one, unless it is fused."""
    found: Mapping[str, slice] = getattr(encoder, "parts", {encoder.name: slice(0, encoder.dimension)})
    return found


def _golden(encoder: Encoder) -> list[NDArray[np.float32]]:
    from daemon.encoders.launder import launder

    picture = golden_picture()
    forms = {"raw": picture, "laundered": launder(picture)}
    return [encoder.encode(forms[profile]) for profile in PROFILES]


def _answer(found: Sequence[Vectors | Failure]) -> tuple[dict[str, Any], list[bytes]]:
    return (
        {"failures": [list(one) if isinstance(one, tuple) else None for one in found]},
        [b"" if isinstance(one, tuple) else _as_sent(one) for one in found],
    )


def _as_sent(vectors: NDArray[np.float32]) -> bytes:
    return vectors.astype("<f4").tobytes()
