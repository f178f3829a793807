"""Pictures -> vectors inside the encoder's process: the next ones are decoded while these are encoded."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from daemon.errors import ImageRejected
from daemon.intake.decode import Limits, decode
from daemon.model import Profile
from daemon.ports import Encoder

Picture = NDArray[np.uint8]
Vectors = NDArray[np.float32]  # (profiles, d)
Failure = tuple[str, str]  # (reason of REASONS, detail)
_Ready = list[Any] | Failure  # what `prepare` made of the picture under each profile


@runtime_checkable
class PreparingEncoder(Protocol):
    """An encoder that works best in batches: what precedes the forward pass is a step of its own."""

    dimension: int

    def prepare(self, picture: Picture) -> Any:
        """One picture; called from several threads."""
        ...

    def encode_prepared(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """What `prepare` gave -> (n, d)."""
        ...


class Immediate:
    """An encoder without batches as one whose whole work is preparation, so that it runs in the threads."""

    def __init__(self, encoder: Encoder) -> None:
        self.dimension = encoder.dimension
        self.prepare = encoder.encode

    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Vectors, as they are."""
        return np.stack(prepared) if prepared else np.zeros((0, self.dimension), np.float32)


def preparing(encoder: Encoder) -> PreparingEncoder:
    """The encoder in two steps, whichever kind it is."""
    return encoder if isinstance(encoder, PreparingEncoder) else Immediate(encoder)


class Pipeline:
    """Decodes, launders and prepares in threads, and runs the forward pass in the thread that asks.

    encoder: of any kind. threads: that prepare. limits: of decoding.
    """

    def __init__(self, encoder: Encoder, threads: int, limits: Limits) -> None:
        self._encoder = preparing(encoder)
        self._limits = limits
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
        self._urgent = ThreadPoolExecutor(threads, thread_name_prefix="prepare-now")  # the others may be held up
        self._ahead: dict[tuple[bytes, tuple[Profile, ...]], Future[_Ready]] = {}

    def encode_now(self, contents: Sequence[bytes], profiles: Sequence[Profile]) -> list[Vectors | Failure]:
        """Encode pictures without waiting for anything that is being prepared ahead.

        Returns for each picture (profiles, d) float32, or why not.
        """
        if len(contents) == 1:
            return self._forward([self._prepare(contents[0], profiles)], profiles)
        ready = list(self._urgent.map(lambda content: self._prepare(content, profiles), contents))
        return self._forward(ready, profiles)

    def encode(
        self, contents: Sequence[bytes], profiles: Sequence[Profile], ahead: Sequence[bytes]
    ) -> list[Vectors | Failure]:
        """Encode pictures, and prepare those that will be asked for next while the forward pass runs.

        ahead: whatever of it is in the next call need not be prepared then. Returns as `encode_now`.
        """
        asked = [(content, tuple(profiles)) for content in contents]
        coming = [(content, tuple(profiles)) for content in ahead]
        known = self._ahead
        self._ahead = {}
        for key in (*asked, *coming):  # in this order, for the threads take them in order
            if key in known:
                self._ahead[key] = known.pop(key)
            elif key not in self._ahead:
                self._ahead[key] = self._pool.submit(self._prepare, *key)
        for left in known.values():
            left.cancel()
        ready = [self._ahead[key].result() for key in asked]
        self._ahead = {key: self._ahead[key] for key in coming}
        return self._forward(ready, profiles)

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(cancel_futures=True)
        self._urgent.shutdown(cancel_futures=True)

    def _forward(self, ready: Sequence[_Ready], profiles: Sequence[Profile]) -> list[Vectors | Failure]:
        prepared = [form for each in ready if not isinstance(each, tuple) for form in each]
        encoded = self._encoder.encode_prepared(prepared)
        vectors = iter(encoded.reshape(-1, len(profiles), self._encoder.dimension))
        return [each if isinstance(each, tuple) else next(vectors) for each in ready]

    def _prepare(self, content: bytes, profiles: Sequence[Profile]) -> _Ready:
        """Decoded once, prepared under every profile."""
        try:
            picture = decode(content, self._limits)
            return [self._encoder.prepare(picture if profile == "raw" else _launder(picture)) for profile in profiles]
        except ImageRejected as error:
            return error.reason, error.detail
        except (ArithmeticError, ValueError) as error:
            return "encoding_failed", f"{type(error).__name__}: {error}"[:200]


def _launder(picture: Picture) -> Picture:
    from daemon.encoders.launder import launder

    return launder(picture)
