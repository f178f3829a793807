"""Inside the encoder's process: what comes next is decoded while the forward pass runs, urgent ones do not wait."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from daemon.encoders.pipeline import Pipeline, preparing
from daemon.errors import ImageRejected
from daemon.intake.decode import Limits
from daemon.model import PROFILES

PATIENCE = 20.0  # seconds until a test gives up; nothing waits that long when all is well
LIMITS = Limits(max_bytes=2**20, max_pixels=10**6, min_side=16)


def content(red: int, width: int = 80) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, 80), (red, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


class Clip:
    """Prepares in one step and encodes in another, and notes both."""

    name, dimension, fingerprint = "clip", 2, "f"

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.batches: list[int] = []
        self.arrived = threading.Condition()
        self.wait_for: int | None = None  # the forward pass ends when this picture has been prepared
        self.held = threading.Event()
        self.held.set()

    def encode(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.encode_prepared([self.prepare(picture)])[0]

    def prepare(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        red = int(picture[0, 0, 0])
        if red == 250:
            assert self.held.wait(PATIENCE)
        if picture.shape[1] == 90:
            raise ImageRejected("too_small", "for this encoder")
        if picture.shape[1] == 91:
            raise ValueError("flat")
        with self.arrived:
            self.prepared.append(red)
            self.arrived.notify_all()
        return np.array([red, picture.shape[1]], np.float32)

    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        with self.arrived:
            if self.wait_for is not None:
                assert self.arrived.wait_for(lambda: self.wait_for in self.prepared, PATIENCE)
        self.batches.append(len(prepared))
        return np.array([*prepared], np.float32).reshape(-1, 2)


@contextmanager
def pipeline(encoder: Any, threads: int = 2) -> Iterator[Pipeline]:
    made = Pipeline(encoder, threads, LIMITS)
    try:
        yield made
    finally:
        made.close()


def reds(found: Sequence[Any]) -> list[Any]:
    return [one if isinstance(one, tuple) else int(one[0, 0]) for one in found]


def test_the_next_pictures_are_prepared_while_the_forward_pass_runs() -> None:
    encoder = Clip()
    encoder.wait_for = 3  # the first forward pass would never end otherwise
    with pipeline(encoder) as made:
        assert reds(made.encode([content(1), content(2)], ["raw"], [content(3), content(4)])) == [1, 2]
        assert reds(made.encode([content(3), content(4)], ["raw"], [])) == [3, 4]
    assert sorted(encoder.prepared) == [1, 2, 3, 4]  # each once
    assert encoder.batches == [2, 2]


def test_what_was_prepared_and_is_not_asked_for_is_forgotten() -> None:
    encoder = Clip()
    with pipeline(encoder) as made:
        made.encode([content(1)], ["raw"], [content(2), content(3)])
        assert reds(made.encode([content(2)], ["raw"], [])) == [2]
        assert made._ahead == {}
        assert reds(made.encode([content(9), content(9)], ["raw"], [content(9)])) == [9, 9]
        assert encoder.prepared.count(9) == 1  # the same bytes are the same picture
        (vectors,) = made.encode([content(9)], PROFILES, [])  # under other profiles it is prepared anew
        assert not isinstance(vectors, tuple)
        assert vectors.shape == (2, 2)


def test_an_urgent_picture_does_not_wait_for_those_that_are_prepared_ahead() -> None:
    encoder = Clip()
    with pipeline(encoder, threads=1) as made:
        encoder.held.clear()
        made.encode([content(1)], ["raw"], [content(250), content(251)])
        assert reds(made.encode_now([content(7)], ["raw"])) == [7]  # the only thread is still held up
        assert 250 not in encoder.prepared
        encoder.held.set()
        assert reds(made.encode([content(250), content(251)], ["raw"], [])) == [250, 251]
    assert encoder.prepared.count(250) == 1


def test_a_picture_that_fails_ahead_fails_when_its_turn_comes_and_alone() -> None:
    encoder = Clip()
    coming = [content(2, 90), b"GIF89a", content(3, 91), content(4)]
    with pipeline(encoder) as made:
        assert reds(made.encode([content(1)], ["raw"], coming)) == [1]
        found = reds(made.encode(coming, ["raw"], []))
        assert found[0] == ("too_small", "for this encoder")
        assert found[1][0] == "format_not_allowed"
        assert found[2] == ("encoding_failed", "ValueError: flat")
        assert found[3] == 4


def test_an_encoder_without_batches_works_in_the_threads() -> None:
    class Plain:
        name, dimension, fingerprint = "plain", 2, "f"
        threads: set[str] = set()  # noqa: RUF012 - one instance

        def encode(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.threads.add(threading.current_thread().name)
            return np.array([picture[0, 0, 0], 5], np.float32)

    encoder = Plain()
    with pipeline(encoder) as made:
        assert reds(made.encode([content(1), content(2)], ["raw"], [])) == [1, 2]
        assert all(name.startswith("prepare") for name in encoder.threads)
    assert preparing(encoder).encode_prepared([]).shape == (0, 2)


@pytest.mark.parametrize("contents", [[], [b""]])
def test_nothing_to_encode_is_no_fault(contents: list[bytes]) -> None:
    with pipeline(Clip()) as made:
        assert len(made.encode(contents, PROFILES, [])) == len(contents)
