"""Three formats, whole and of a sane size, become upright RGB; everything else is named."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.errors import ImageRejected
from daemon.intake.decode import Limits, decode, inspect

LIMITS = Limits(max_bytes=200_000, max_pixels=100_000, min_side=32)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(width: int = 80, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


def reason(content: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(ImageRejected) as caught:
        decode(content, limits)
    with pytest.raises(ImageRejected) as again:
        inspect(content, limits)
    assert caught.value.reason == again.value.reason
    return caught.value.reason


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises far more pixels than the file has bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_formats_are_taken(kind: str) -> None:
    found = inspect(encoded(noise(), kind), LIMITS)
    assert (found.width, found.height, found.format) == (80, 48, kind)
    assert len(found.phash) == 16
    assert decode(encoded(noise(), kind), LIMITS).shape == (48, 80, 3)


def test_a_lossless_picture_keeps_its_pixels_and_its_hash_in_another_file() -> None:
    assert np.array_equal(decode(encoded(noise()), LIMITS), np.asarray(noise()))
    webp = encoded(noise(), "WEBP", lossless=True)
    assert inspect(webp, LIMITS).phash == inspect(encoded(noise()), LIMITS).phash


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_of_pillow_are_not_allowed(kind: str) -> None:
    assert reason(encoded(noise(), kind)) == "format_not_allowed"


def test_each_reason_is_the_one_of_the_closed_list() -> None:
    assert reason(b"") == "empty"
    assert reason(b"x" * 200_001) == "too_many_bytes"
    assert reason(b"no picture at all") == "format_not_allowed"
    assert reason(bomb(60_000, 60_000)) == "too_many_pixels"
    assert reason(bomb(12_000, 12_000), Limits(max_pixels=10**9)) == "too_many_pixels"
    assert reason(bomb(400, 400)) == "too_many_pixels"
    assert reason(encoded(noise(31, 80))) == "too_small"
    assert reason(b"\x89PNG\r\n\x1a\n") == "corrupt"
    assert reason(b"\xff\xd8\xff\xe0garbage") == "corrupt"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_picture_is_corrupt(kind: str, share: float) -> None:
    whole = encoded(noise(), kind)
    assert reason(whole[: int(len(whole) * share)]) == "corrupt"


def test_a_flipped_byte_in_a_png_is_corrupt() -> None:
    whole = bytearray(encoded(noise()))
    whole[len(whole) // 2] ^= 0xFF
    assert reason(bytes(whole)) == "corrupt"


def test_no_byte_string_raises_anything_but_a_rejection() -> None:
    generator = np.random.default_rng(7)
    outcomes = set()
    for kind in ("JPEG", "PNG", "WEBP"):
        whole = np.frombuffer(encoded(noise(), kind, exif=_oriented(6)), np.uint8)
        for _ in range(60):
            broken = whole.copy()
            places = generator.integers(0, len(broken), 8)
            broken[places] = generator.integers(0, 256, 8, dtype=np.uint8)
            try:
                outcomes.add(decode(broken.tobytes(), LIMITS).ndim)
            except ImageRejected as error:
                outcomes.add(error.reason)
    assert {"corrupt", 3} <= outcomes


def _oriented(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_exif_is_applied(orientation: int) -> None:
    upright = np.asarray(noise())
    # what a camera stores under each orientation: the inverse of what a viewer must do
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    content = encoded(Image.fromarray(np.ascontiguousarray(stored)), exif=_oriented(orientation))
    assert np.array_equal(decode(content, LIMITS), upright)
    assert (inspect(content, LIMITS).width, inspect(content, LIMITS).height) == (80, 48)


def test_what_is_transparent_is_laid_over_white() -> None:
    clear = Image.new("RGBA", (40, 40), (200, 0, 0, 0))
    half = Image.new("RGBA", (40, 40), (0, 0, 0, 128))
    assert decode(encoded(clear), LIMITS)[0, 0].tolist() == [255, 255, 255]
    assert decode(encoded(half), LIMITS)[0, 0].tolist() == [127, 127, 127]
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert decode(encoded(palette), LIMITS)[0, 0].tolist() == [40, 50, 60]
    assert decode(encoded(palette, transparency=1), LIMITS)[0, 0].tolist() == [255, 255, 255]


def test_of_sixteen_bits_per_colour_the_high_byte_counts_and_clear_ones_lie_over_white() -> None:
    def deep(colour: int, samples: bytes) -> bytes:
        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, 16, colour, 0, 0, 0))
        rows = zlib.compress((b"\x00" + samples * 40) * 40)
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")

    assert decode(deep(2, bytes([0x12, 0xFF, 0xAB, 0x00, 0xFE, 0x7F])), LIMITS)[0, 0].tolist() == [0x12, 0xAB, 0xFE]
    clear = bytes([0x12, 0xFF, 0xAB, 0x00, 0xFE, 0x7F, 0x00, 0x00])
    assert decode(deep(6, clear), LIMITS)[0, 0].tolist() == [255, 255, 255]


def test_grey_sixteen_bits_and_cmyk_become_rgb() -> None:
    assert decode(encoded(Image.new("L", (40, 40), 77)), LIMITS)[0, 0].tolist() == [77, 77, 77]
    deep = Image.fromarray(np.full((40, 40), 0xAB12, np.uint16))
    assert decode(encoded(deep), LIMITS)[0, 0].tolist() == [0xAB] * 3
    cmyk = encoded(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG", quality=100)
    red = decode(cmyk, LIMITS)[0, 0].astype(int)
    assert red[0] > 245
    assert max(red[1:]) < 10


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    first, second = Image.new("RGB", (40, 40), (255, 0, 0)), Image.new("RGB", (40, 40), (0, 0, 255))
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(first, kind, save_all=True, append_images=[second], **options)
    assert decode(content, LIMITS)[0, 0].tolist() == [255, 0, 0]


def test_of_several_pictures_in_one_jpeg_the_first_one_counts_and_data_behind_it_is_not_read() -> None:
    first, second = Image.new("RGB", (40, 40), (255, 0, 0)), Image.new("RGB", (40, 40), (0, 0, 255))
    several = encoded(first, "MPO", save_all=True, append_images=[second], quality=100)
    assert inspect(several, LIMITS).format == "JPEG"
    assert decode(several, LIMITS)[0, 0, 0] > 245
    behind = encoded(first, "JPEG", quality=100) + b"PK\x03\x04 an archive"
    assert decode(behind, LIMITS)[0, 0, 0] > 245
