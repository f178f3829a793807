"""The place of the encoder in commands that do not start it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from daemon.encoders.gathering import always
from daemon.errors import TemporaryError
from daemon.model import EncodingFailure, Profile
from daemon.ports import Registry


class StoppedEncoder:
    """Knows the fingerprint of the vectors in the store and encodes nothing."""

    name = "stopped"
    dimension = 0

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint

    def encode_many(
        self, items: Sequence[bytes], profiles: Sequence[Profile]
    ) -> list[dict[Profile, NDArray[np.float32]] | EncodingFailure]:
        """Raises TemporaryError: this command did not start the encoder."""
        raise TemporaryError("the encoder is not running in this command")

    def encode_now(self, content: bytes, *, wanted: Callable[[], bool] = always) -> NDArray[np.float32]:
        """Raises TemporaryError: this command did not start the encoder."""
        raise TemporaryError("the encoder is not running in this command")


def stopped_encoder(registry: Registry) -> StoppedEncoder:
    """That of the champion's vectors."""
    champion = registry.champion()
    return StoppedEncoder(champion.fingerprint if champion else "")
