"""What a file says beside its pixels is read with the picture, and checked before it is believed."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.intake.decode import Limits, inspect
from daemon.intake.file_facts import checked_facts
from daemon.intake.inspecting import InspectorClient
from daemon.model import FileFacts
from daemon.settings import IntakeSettings


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def facts(content: bytes) -> FileFacts:
    found = inspect(content, Limits()).facts
    assert found is not None
    return found


def test_a_lower_quality_shows_in_coarser_tables() -> None:
    fine, coarse = facts(encoded("JPEG", quality=95)), facts(encoded("JPEG", quality=50))
    assert fine.luminance is not None and coarse.luminance is not None
    assert fine.luminance < 10 < 50 < coarse.luminance
    assert fine.tables != coarse.tables
    assert fine.tables == facts(encoded("JPEG", quality=95, subsampling="4:4:4")).tables


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_chroma_subsampling_is_read(sampling: str) -> None:
    assert facts(encoded("JPEG", subsampling=sampling)).subsampling == sampling


def test_a_grey_jpeg_has_no_chrominance() -> None:
    found = facts(encoded("JPEG", mode="L"))
    assert (found.mode, found.chrominance, found.subsampling) == ("L", None, None)
    assert found.luminance is not None


def test_flags_say_what_the_file_has() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    full = facts(encoded("JPEG", progressive=True, exif=exif, icc_profile=b"a profile"))
    assert (full.progressive, full.exif, full.icc) == (True, True, True)
    plain = facts(encoded("JPEG"))
    assert (plain.progressive, plain.exif, plain.icc) == (False, False, False)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_formats_have_no_tables(kind: str) -> None:
    found = facts(encoded(kind))
    assert found == FileFacts("RGB", None, None, None, None, False, False, False)


def test_the_child_tells_the_same_facts() -> None:
    client = InspectorClient(IntakeSettings())
    content = encoded("JPEG", quality=80)
    try:
        assert client.inspect(content).facts == facts(content)
    finally:
        client.close()


@pytest.mark.parametrize(
    "forged",
    [
        {"mode": ""},
        {"mode": 3},
        {"mode": "R" * 17},
        {"luminance": float("nan")},
        {"luminance": -1.0},
        {"luminance": True},
        {"chrominance": "1"},
        {"tables": "x" * 17},
        {"tables": b"1"},
        {"subsampling": "4:1:0"},
        {"exif": 1},
        {"icc": None},
        {"more": 1},
    ],
)
def test_forged_facts_are_refused(forged: dict[str, Any]) -> None:
    good = dataclasses.asdict(facts(encoded("JPEG")))
    assert checked_facts(good) == FileFacts(**good)
    with pytest.raises(ValueError, match=r"fact|table|subsampling"):
        checked_facts(good | forged)


def test_incomplete_facts_are_refused() -> None:
    good = dataclasses.asdict(facts(encoded("JPEG")))
    for name in good:
        with pytest.raises(ValueError, match="incomplete"):
            checked_facts({key: value for key, value in good.items() if key != name})
    with pytest.raises(ValueError, match="incomplete"):
        checked_facts(None)
