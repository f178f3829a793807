"""Pictures made to hurt: each is refused with a reason of the closed list or is what it says; the child pays."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import psutil
import pytest
from PIL import Image

from daemon.errors import ImageRejected
from daemon.intake.inspecting import InspectorClient
from daemon.model import REASONS
from daemon.settings import IntakeSettings

FRAMES = 100_000


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *before: bytes, rows: bool = True, after: bytes = b"") -> bytes:
    """A black picture of one grey byte per pixel."""
    compress = zlib.compressobj(9)
    row = bytes(width + 1)
    body = b"".join(compress.compress(row) for _ in range(height if rows else 0)) + compress.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + header + b"".join(before) + chunk(b"IDAT", body) + after + chunk(b"IEND", b"")


def indexed(*before: bytes) -> bytes:
    """A picture whose pixels are numbers of a palette, which is to come before them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 96, 96, 8, 3, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress((b"\x00" + b"\x05" * 96) * 96))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + body + chunk(b"IEND", b"")


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def animated_png() -> bytes:
    frame = zlib.compress(bytes(65) * 64)
    control = struct.pack(">IIIIHHBB", 64, 64, 0, 0, 1, 10, 0, 0)
    more = []
    for number in range(1, 2 * FRAMES - 1, 2):
        more.append(chunk(b"fcTL", struct.pack(">I", number) + control))
        more.append(chunk(b"fdAT", struct.pack(">I", number + 1) + frame))
    first = chunk(b"acTL", struct.pack(">II", FRAMES, 0)), chunk(b"fcTL", struct.pack(">I", 0) + control)
    return png(64, 64, *first, after=b"".join(more))


def animated_webp() -> bytes:
    def riff(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    stream = io.BytesIO()
    Image.new("RGB", (64, 64), (9, 9, 9)).save(stream, "WEBP", lossless=True)
    pixels = stream.getvalue()[12:]  # the chunk VP8L alone
    size = (63).to_bytes(3, "little") * 2
    frame = riff(b"ANMF", bytes(6) + size + (10).to_bytes(3, "little") + b"\x00" + pixels)
    body = riff(b"VP8X", b"\x02\x00\x00\x00" + size) + riff(b"ANIM", bytes(6)) + frame * FRAMES
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


PICTURES: dict[str, tuple[Callable[[], bytes], str | tuple[int, int] | None]] = {
    "no bytes": (lambda: b"", "empty"),
    "truncated": (lambda: encoded("JPEG")[:2000], "corrupt"),
    "truncated header": (lambda: encoded("WEBP")[:14], "corrupt"),
    "header of 3.6 thousand million pixels": (lambda: png(60_000, 60_000, rows=False), "too_many_pixels"),
    "header of four thousand million columns": (lambda: png(2**31 - 1, 64, rows=False), "too_many_pixels"),
    "36 million pixels in 40 kB": (lambda: png(6000, 6000), (6000, 6000)),
    "promised rows that do not come": (lambda: png(6000, 6000, rows=False), "corrupt"),
    "a text chunk of 300 MB": (
        lambda: png(64, 64, chunk(b"zTXt", b"k\x00\x00" + zlib.compress(bytes(300 * 2**20), 9))),
        "corrupt",
    ),
    "a colour profile of 300 MB": (
        lambda: png(64, 64, chunk(b"iCCP", b"k\x00\x00" + zlib.compress(bytes(300 * 2**20), 9))),
        None,
    ),
    "a palette that is not there": (indexed, "corrupt"),
    "transparency of colours that the palette does not have": (
        lambda: indexed(chunk(b"PLTE", bytes(3)), chunk(b"tRNS", bytes(300))),
        "corrupt",
    ),
    "a PDF before a JPEG": (lambda: b"%PDF-1.4\n" + encoded("JPEG"), "format_not_allowed"),
    "a ZIP before a PNG": (lambda: b"PK\x03\x04" + encoded("PNG"), "format_not_allowed"),
    "a script in a GIF": (lambda: b"GIF89a/*" + b"*/=1;alert(1)" + encoded("JPEG"), "format_not_allowed"),
    "a page before a WEBP": (lambda: b"<html><script>" + encoded("WEBP"), "format_not_allowed"),
    "PostScript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "format_not_allowed"),
    "an animated PNG of 100,000 frames": (animated_png, (64, 64)),
    "an animated WEBP of 100,000 frames": (animated_webp, None),
}


@pytest.fixture(scope="module")
def client() -> Iterator[InspectorClient]:
    made = InspectorClient(IntakeSettings.model_validate({"deadline": "60s", "decoders": 1}))
    yield made
    made.close()


@pytest.mark.parametrize("name", PICTURES)
def test_it_costs_the_service_nothing_and_has_a_reason(name: str, client: InspectorClient) -> None:
    make, expected = PICTURES[name]
    content = make()
    this = psutil.Process()
    before = this.memory_info().rss
    found: str | tuple[int, int]
    try:
        seen = client.inspect(content)
        found = (seen.width, seen.height)
    except ImageRejected as rejected:
        found = rejected.reason
    assert this.memory_info().rss - before < 100 * 2**20
    assert found == expected if expected is not None else found == (64, 64) or found in REASONS
    assert client.inspect(encoded("PNG")).width == 96
