"""Small pictures for configurations of a few files."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def photograph(path: Path, seed: int, side: int = 128) -> bytes:
    """Write a seeded picture of smooth noise in the format of the file's name; returns its bytes."""
    coarse = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(coarse).resize((side, side)).save(held, Image.registered_extensions()[path.suffix])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(held.getvalue())
    return held.getvalue()


def bomb(path: Path, side: int = 60_000) -> None:
    """Write a PNG of a few kilobytes whose header promises side * side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(2**20))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
