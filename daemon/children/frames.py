"""Frames over a pipe: a JSON header and raw binary parts.

No pickle: a child may have been taken over by a picture or by a source, so whoever reads trusts nothing but
sizes that were checked against a limit before memory was set aside for them.

    magic "swf1" | u32 length of the header | u32 number of parts | u64 length of each part | header | parts
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"swf1"
_PREFIX = struct.Struct("<4sII")


class BadFrame(Exception):
    """What came through the pipe is not a frame, or is larger than allowed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest frame that a reader accepts."""

    header: int = 16 * 2**20  # bytes of JSON
    parts: int = 65_536  # how many binary parts
    total: int = 512 * 2**20  # bytes of all parts together


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: a JSON object and the binary parts that it refers to by index."""

    header: dict[str, Any]
    parts: tuple[bytes, ...] = ()

    def part(self, index: object) -> bytes:
        """The part that a header refers to; BadFrame when there is none."""
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(self.parts):
            raise BadFrame(f"there is no part {index!r}")
        return self.parts[index]


def pack(header: Mapping[str, Any], parts: Sequence[bytes] = ()) -> list[bytes]:
    """The byte strings to write, one after the other; parts are not copied."""
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    sizes = struct.pack(f"<{len(parts)}Q", *(len(part) for part in parts))
    return [_PREFIX.pack(MAGIC, len(text), len(parts)) + sizes + text, *parts]


def read(take: Callable[[int], bytes | None], limits: Limits) -> Frame | None:
    """Read one frame.

    take: returns exactly n bytes; None when the stream ended before the first of them; raises BadFrame when it
    ended in between. Returns None when the stream ended between two frames. Raises BadFrame.
    """
    prefix = take(_PREFIX.size)
    if prefix is None:
        return None
    magic, header_size, part_count = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise BadFrame(f"starts with {magic!r}")
    if header_size > limits.header or part_count > limits.parts:
        raise BadFrame(f"announces a header of {header_size} bytes and {part_count} parts")
    sizes = struct.unpack(f"<{part_count}Q", _all(take, 8 * part_count))
    if sum(sizes) > limits.total:
        raise BadFrame(f"announces {sum(sizes)} bytes, more than {limits.total}")
    try:
        header = json.loads(_all(take, header_size))
    except (ValueError, RecursionError) as error:
        raise BadFrame("its header is not JSON") from error
    if not isinstance(header, dict):
        raise BadFrame("its header is not an object")
    return Frame(header, tuple(_all(take, size) for size in sizes))


def vectors_of(part: bytes, dimension: int) -> NDArray[np.float32]:
    """(n, dimension) float32 from the bytes of a part; BadFrame when they do not divide."""
    if len(part) % (4 * dimension):
        raise BadFrame(f"{len(part)} bytes are no float32 vectors of length {dimension}")
    return np.frombuffer(part, dtype="<f4").reshape(-1, dimension)


def _all(take: Callable[[int], bytes | None], size: int) -> bytes:
    if size == 0:
        return b""
    data = take(size)
    if data is None:
        raise BadFrame("ends in the middle")
    return data
