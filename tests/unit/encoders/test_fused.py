"""Encoders side by side: each part is bit for bit what its own encoder gives."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from daemon.encoders import build
from daemon.encoders.client import EncoderClient
from daemon.encoders.forensic import ForensicEncoder
from daemon.encoders.fused import FusedEncoder
from daemon.encoders.golden import golden_picture
from daemon.encoders.launder import launder
from daemon.encoders.open_clip import OpenClipEncoder
from daemon.errors import WeightsMissing
from daemon.model import EncodingFailure
from daemon.settings import EncoderSettings, IntakeSettings
from tests.unit.encoders.clip import WIDTH, settings


def fused(folder: Path, order: tuple[str, ...] = ("open_clip", "forensic"), **more: Any) -> EncoderSettings:
    return EncoderSettings.model_validate(
        {
            "name": "fused",
            "threads": 1,
            "fused": {"encoders": order},
            "open_clip": settings(folder, **more).model_dump(),
        }
    )


def picture(seed: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((160, 128), Image.Resampling.BICUBIC))


def png(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture(seed)).save(stream, "PNG")
    return stream.getvalue()


def test_the_vectors_are_those_of_the_parts_in_the_order_of_the_settings(folder: Path) -> None:
    clip, forensic = OpenClipEncoder(settings(folder), threads=1), ForensicEncoder()
    for order, own in ((("open_clip", "forensic"), (clip, forensic)), (("forensic", "open_clip"), (forensic, clip))):
        encoder = build("fused", fused(folder, order))
        assert isinstance(encoder, FusedEncoder)
        assert encoder.dimension == WIDTH + forensic.dimension
        assert list(encoder.parts) == list(order)
        vector = encoder.encode(picture(1))
        assert vector.dtype == np.float32
        together = encoder.encode_prepared([encoder.prepare(picture(seed)) for seed in range(3)])
        assert together.shape == (3, encoder.dimension)
        for name, part in zip(order, own, strict=True):
            assert np.allclose(vector[encoder.parts[name]], part.encode(picture(1)), atol=1e-5)
        batch = clip.encode_batch([picture(seed) for seed in range(3)])
        assert np.allclose(together[:, encoder.parts["open_clip"]], batch, atol=1e-5)
        assert encoder.encode_prepared([]).shape == (0, encoder.dimension)


def test_the_fingerprint_is_that_of_the_parts_in_their_order(folder: Path) -> None:
    wanted = [
        fused(folder),
        fused(folder, ("forensic", "open_clip")),
        fused(folder, file="two.safetensors"),
        fused(folder, transform="clip"),
    ]
    prints = [build("fused", one).fingerprint for one in wanted]
    assert len(set(prints)) == 4
    assert build("fused", fused(folder, batch_size=3)).fingerprint == prints[0]


@pytest.mark.parametrize("encoders", [[], ["forensic"], ["forensic", "forensic"], ["forensic", "fused"], ["external"]])
def test_less_than_two_encoders_the_same_twice_and_nesting_are_refused(encoders: list[str]) -> None:
    with pytest.raises(ValidationError, match="encoders"):
        EncoderSettings.model_validate({"name": "fused", "fused": {"encoders": encoders}})


def test_the_child_serves_it_and_survives_a_kill(folder: Path) -> None:
    client = EncoderClient(fused(folder), IntakeSettings())
    try:
        encoder = build("fused", fused(folder))
        assert (client.name, client.dimension, client.fingerprint) == ("fused", encoder.dimension, encoder.fingerprint)
        assert client.parts == {"open_clip": slice(0, WIDTH), "forensic": slice(WIDTH, encoder.dimension)}
        assert np.allclose(client.golden["laundered"], encoder.encode(launder(golden_picture())), atol=1e-5)
        found = client.encode_many([png(1), b"GIF89a", png(2)])
        assert isinstance(found[1], EncodingFailure)
        own = ForensicEncoder()
        for outcome, seed in ((found[0], 1), (found[2], 2)):
            assert isinstance(outcome, dict)
            # Another process sums in another order (threads, alignment): near, not equal to the bit.
            assert np.allclose(outcome["raw"][client.parts["forensic"]], own.encode(picture(seed)), atol=1e-5)
            expected = own.encode(launder(picture(seed)))
            assert np.allclose(outcome["laundered"][client.parts["forensic"]], expected, atol=1e-5)
        child = client._child
        assert child is not None
        os.kill(child.pid, signal.SIGKILL)
        assert np.allclose(client.encode_now(png(1)), encoder.encode(picture(1)), atol=1e-5)
    finally:
        client.close()


def test_a_part_whose_weights_are_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="three ways out"):
        EncoderClient(fused(folder, file=str(tmp_path / "none.pt")), IntakeSettings())
