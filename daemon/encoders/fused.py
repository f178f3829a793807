"""Several encoders side by side: semantic and low-level cues in one vector."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.pipeline import preparing
from daemon.ports import Encoder


class FusedEncoder:
    """The vectors of its parts one after the other, each as its own encoder gives it.

    parts: by name, in order; at least two. Nothing is standardised here: that is the head's work, whose statistics
    know the scales, and a fingerprint must not hang on what was learned.
    """

    name = "fused"
    parts: Mapping[str, slice]  # columns of each part, by name

    def __init__(self, parts: Sequence[tuple[str, Encoder]]) -> None:
        self._encoders = tuple(encoder for _, encoder in parts)
        self._steps = tuple(preparing(encoder) for encoder in self._encoders)
        ends = np.cumsum([encoder.dimension for encoder in self._encoders]).tolist()
        self.parts = {
            name: slice(end - encoder.dimension, end) for (name, encoder), end in zip(parts, ends, strict=True)
        }
        self.dimension: int = ends[-1]
        self.fingerprint: str = _fingerprint([encoder.fingerprint for encoder in self._encoders])

    def encode(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(h, w, 3) RGB -> (d,) float32; raises what a part raises."""
        return np.concatenate([encoder.encode(picture) for encoder in self._encoders])

    def prepare(self, picture: NDArray[np.uint8]) -> list[Any]:
        """What each part does before its batch: all of it, where a part knows no batches; may run in any thread."""
        return [step.prepare(picture) for step in self._steps]

    def encode_prepared(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """What `prepare` gave -> (n, d) float32."""
        columns = [[found[number] for found in prepared] for number in range(len(self._steps))]
        rows = [step.encode_prepared(found) for step, found in zip(self._steps, columns, strict=True)]
        return np.concatenate(rows, axis=1, dtype=np.float32)


def _fingerprint(parts: Sequence[str]) -> str:
    text = json.dumps({"encoder": "fused", "parts": list(parts)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
