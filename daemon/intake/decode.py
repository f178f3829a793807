"""Encoded bytes -> pixels, for three formats and nothing else.

How pixels become RGB: palettes are looked up; grey is repeated; CMYK is converted by Pillow's plain formula (no
colour management: embedded profiles are not applied); of 16-bit samples the high byte counts; whatever is
transparent is laid over white. The EXIF orientation is applied. Of an animation the first frame counts.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from daemon.errors import ImageRejected
from daemon.intake.file_facts import read_facts
from daemon.model import Inspected

FORMATS = ("JPEG", "PNG", "WEBP")

ImageFile.LOAD_TRUNCATED_IMAGES = False  # a truncated picture is refused
_BOMB = 89_478_485  # pixels: what Pillow only warns about as a decompression bomb is an error here

_ORIENTATION = 0x0112
_HASHED_SIDE = 32  # pixels; 8 low frequencies of 32, as `imagehash.phash` takes them unless told otherwise
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's decoders raise on bytes that are not what they claim to be.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AssertionError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may be."""

    max_bytes: int = 50 * 2**20  # of the encoded picture
    max_pixels: int = 40_000_000  # width times height, from the header; never more than 89 million
    min_side: int = 64  # pixels


def check_size(content: bytes, limits: Limits) -> None:
    """Raise ImageRejected when there are no bytes or too many."""
    if not content:
        raise ImageRejected("empty", "no bytes")
    if len(content) > limits.max_bytes:
        raise ImageRejected("too_many_bytes", f"{len(content)} bytes, more than {limits.max_bytes}")


def decode(content: bytes, limits: Limits) -> NDArray[np.uint8]:
    """The pixels of an encoded picture.

    Returns (h, w, 3) RGB, orientation applied. Raises ImageRejected.
    """
    with _loaded(content, limits) as image, _rejecting(content):
        return np.asarray(_upright_rgb(image), dtype=np.uint8)


def inspect(content: bytes, limits: Limits, ask: Callable[[Image.Image], None] = lambda picture: None) -> Inspected:
    """Decode a picture completely and say what it is; width and height are those of the upright picture.

    ask: is shown the upright RGB picture and may raise ImageRejected. Raises ImageRejected.
    """
    import imagehash  # here, for it imports scipy: the encoder's process does without

    with _loaded(content, limits) as image:
        with _rejecting(content):
            upright = _upright_rgb(image)
            facts = read_facts(image)
        ask(upright)
        phash = str(imagehash.phash(_coarse(upright)))
        return Inspected(upright.width, upright.height, _format(image), phash, facts)


@contextmanager
def _loaded(content: bytes, limits: Limits) -> Iterator[Image.Image]:
    check_size(content, limits)
    with _rejecting(content):
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_header(image, limits)
        if image.format == "PNG":
            # verify() checks what the decoder does not (checksums; of PNG alone), but leaves an image that is used up
            image.verify()
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    with image:
        with _rejecting(content):
            image.load()
        yield image


@contextmanager
def _rejecting(content: bytes) -> Iterator[None]:
    try:
        yield
    except ImageRejected:
        raise
    except Image.DecompressionBombError as error:
        raise ImageRejected("too_many_pixels", str(error)) from error
    except UnidentifiedImageError as error:
        if _claimed_format(content) is None:
            raise ImageRejected("format_not_allowed", f"not one of {', '.join(FORMATS)}") from error
        raise ImageRejected("corrupt", "the header cannot be read") from error
    except _BROKEN as error:
        raise ImageRejected("corrupt", f"{type(error).__name__}: {error}"[:200]) from error


def _check_header(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    most = min(limits.max_pixels, _BOMB)
    if width * height > most:
        raise ImageRejected("too_many_pixels", f"{width} x {height}, more than {most} pixels")
    if min(width, height) < limits.min_side:
        raise ImageRejected("too_small", f"{width} x {height}, a side under {limits.min_side} pixels")


def _coarse(upright: Image.Image) -> Image.Image:
    """The picture in grey, as small as the perceptual hash looks at it: `imagehash` does the same four times slower.

    Pillow first takes means over blocks, down to four times the final side. 8 of 100 pictures get another hash, by 2
    of 64 bits nearly always.
    """
    side = (_HASHED_SIDE, _HASHED_SIDE)
    return upright.convert("L").resize(side, Image.Resampling.LANCZOS, reducing_gap=4.0)


def _format(image: Image.Image) -> str:
    # MPO is a JPEG with further JPEGs behind it, as telephones write them
    return "JPEG" if image.format == "MPO" else str(image.format)


def _claimed_format(content: bytes) -> str | None:
    if content.startswith(b"\xff\xd8"):
        return "JPEG"
    if content.startswith(b"\x89PNG"):
        return "PNG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return None


def _upright_rgb(image: Image.Image) -> Image.Image:
    rgb = _rgb(image)
    turn = _TURNS.get(_orientation(image))
    return rgb if turn is None else rgb.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        return 1  # metadata that cannot be read says nothing; the pixels were read
    return value if isinstance(value, int) else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # I;16 and its relatives: grey of 16 bits
        grey = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, over).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # convert() would copy
