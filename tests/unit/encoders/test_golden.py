"""The golden picture: an encoder that computes otherwise than when its vectors were stored is stopped."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from daemon.children.frames import BadFrame, Frame
from daemon.encoders.golden import check_golden, difference, golden_picture
from daemon.encoders.hello import Hello, read_hello, same_encoder
from daemon.errors import ConfigurationError
from store import open_store

NOW = datetime(2030, 5, 6, tzinfo=UTC)
LATER = datetime(2031, 1, 1, tzinfo=UTC)


def encoder(factor: float = 1.0, dimension: int = 4) -> Hello:
    vector = np.arange(1, dimension + 1, dtype=np.float32) * np.float32(factor)
    return Hello("clip", dimension, "f" * 64, {"clip": slice(0, dimension)}, {"raw": vector, "laundered": vector / 2})


def test_the_picture_is_the_same_on_every_machine_and_for_ever() -> None:
    picture = golden_picture()
    assert (picture.shape, picture.dtype) == ((384, 448, 3), np.uint8)
    # A change makes every store refuse its encoder.
    assert hashlib.sha256(picture.tobytes()).hexdigest() == (
        "66c90c8e3acdbfc7469ad3f193a7064e9184c61929d356ae2272bacd3fa1bf5a"
    )
    assert picture.min() < 20
    assert picture.max() > 235


def test_the_difference_is_relative_and_the_worst_part_counts() -> None:
    recorded = np.array([300, 400, 0.3, 0.4], np.float32)
    found = np.array([300, 400, 0.3, 0.5], np.float32)
    assert difference(found, recorded, {"all": slice(0, 4)}) == pytest.approx(0.1 / 500, rel=1e-3)
    assert difference(found, recorded, {"a": slice(0, 2), "b": slice(2, 4)}) == pytest.approx(0.2, rel=1e-3)
    assert difference(recorded, recorded, {"all": slice(0, 4)}) == 0
    assert difference(found[:3], recorded, {"all": slice(0, 4)}) == float("inf")
    assert difference(np.ones(2, np.float32), np.zeros(2, np.float32), {"all": slice(0, 2)}) > 1


def test_the_first_vector_is_recorded_and_later_ones_are_held_against_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        check_golden(encoder(), store.golden, NOW, record=True)
        found = store.golden.golden("f" * 64, "laundered")
        assert found is not None
        assert found.at == NOW
        assert found.vector.tolist() == [0.5, 1.0, 1.5, 2.0]
        check_golden(encoder(1.0009), store.golden, LATER, record=True)  # another CPU
        again = store.golden.golden("f" * 64, "raw")
        assert again is not None
        assert (again.at, again.vector.tolist()) == (NOW, [1, 2, 3, 4])  # what was recorded stays
        with pytest.raises(
            ConfigurationError, match=r"clip ffffffffffff .* on 2030-05-06 \(raw: 0\.0011 apart"
        ) as caught:
            check_golden(encoder(1.0011), store.golden, LATER, record=True)
        assert caught.value.exit_status == 78
        assert "store.directory" in str(caught.value)
        with pytest.raises(ConfigurationError, match="raw: inf apart"):
            check_golden(encoder(dimension=5), store.golden, LATER, record=True)
        other = replace(encoder(7.0), fingerprint="e" * 64)
        check_golden(other, store.golden, LATER, record=False)
        assert store.golden.golden("e" * 64, "raw") is None
        check_golden(other, store.golden, LATER, record=True)


def test_one_profile_alone_gives_it_away(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        check_golden(encoder(), store.golden, NOW, record=True)
        drifted = encoder()
        drifted.golden["laundered"] = drifted.golden["laundered"] + np.float32(0.1)
        with pytest.raises(ConfigurationError, match=r"\(laundered: 0\.073 apart"):
            check_golden(drifted, store.golden, LATER, record=False)
        assert not same_encoder(drifted, encoder())
        assert same_encoder(encoder(1.0005), encoder())
        assert not same_encoder(replace(encoder(), fingerprint="0" * 64), encoder())


def hello(**changes: object) -> Frame:
    vector = np.ones(4, "<f4").tobytes()
    header = {"name": "fused", "dimension": 4, "fingerprint": "f", "parts": {"a": [0, 3], "b": [3, 4]}}
    parts = changes.pop("vectors", (vector, vector))
    return Frame({**header, **changes}, parts)  # type: ignore[arg-type]


def test_an_introduction_is_read_and_a_garbled_one_refused() -> None:
    found = read_hello(hello())
    assert found.parts == {"a": slice(0, 3), "b": slice(3, 4)}
    assert found.golden["laundered"].tolist() == [1, 1, 1, 1]
    one = np.ones(4, "<f4").tobytes()
    garbled: list[dict[str, object]] = [
        {"name": None},
        {"dimension": "4"},
        {"dimension": 0},
        {"parts": {}},
        {"parts": {"a": [0, 3]}},
        {"parts": {"a": [0, 3], "b": [2, 4]}},
        {"parts": {"a": [0, 0], "b": [0, 4]}},
        {"parts": {"a": [0, True], "b": [1, 4]}},
        {"parts": {"a": "all"}},
        {"vectors": (one,)},
        {"vectors": (one, one * 2)},
        {"vectors": (one, one[:-1])},
    ]
    for changes in garbled:
        with pytest.raises(BadFrame):
            read_hello(hello(**changes))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e5])
def test_an_encoder_that_makes_nothing_usable_of_it_is_refused(value: float) -> None:
    one, bad = np.ones(4, "<f4").tobytes(), np.full(4, value, "<f4").tobytes()
    with pytest.raises(ConfigurationError, match="not finite or too large for float16"):
        read_hello(hello(vectors=(one, bad)))
