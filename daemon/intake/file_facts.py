"""Facts of a picture's file beside its pixels: read in the decoding child, checked in the parent."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from PIL import Image, JpegImagePlugin

from daemon.model import SUBSAMPLINGS, FileFacts, Subsampling

_SAMPLINGS: Mapping[int, Subsampling] = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_NAMES = frozenset(field.name for field in dataclasses.fields(FileFacts))
_COARSEST = 65_535  # largest value of a quantisation table


def read_facts(image: Image.Image) -> FileFacts:
    """The facts of an opened picture, as its file states them (before any turning or conversion)."""
    info = image.info
    plain = FileFacts(
        mode=image.mode,
        luminance=None,
        chrominance=None,
        tables=None,
        subsampling=None,
        progressive=bool(info.get("progressive") or info.get("interlace")),
        exif=bool(info.get("exif")),
        icc=bool(info.get("icc_profile")),
    )
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return plain
    tables = [tuple(image.quantization[number]) for number in sorted(image.quantization)]
    grey = image.mode == "L"
    return dataclasses.replace(
        plain,
        luminance=_mean(tables[0]) if tables else None,
        chrominance=_mean(tables[1]) if len(tables) > 1 and not grey else None,
        tables=sha256(repr(tables).encode()).hexdigest()[:16],
        subsampling=None if grey else _SAMPLINGS.get(JpegImagePlugin.get_sampling(image), "other"),
    )


def checked_facts(fields: Any) -> FileFacts:
    """Facts from plain data that may have been forged.

    Raises ValueError when they are not what `read_facts` gives.
    """
    if not isinstance(fields, dict) or fields.keys() != _NAMES:
        raise ValueError("the facts of the file are incomplete")
    flags = [fields[name] for name in ("progressive", "exif", "icc")]
    texts = [(fields["mode"], 16), *((fields[name], 16) for name in ("tables",) if fields[name] is not None)]
    if not all(type(flag) is bool for flag in flags):
        raise ValueError("a fact of the file is neither true nor false")
    if not all(isinstance(text, str) and text.isascii() and 0 < len(text) <= most for text, most in texts):
        raise ValueError("a fact of the file is no short text")
    if fields["subsampling"] not in (None, *SUBSAMPLINGS):
        raise ValueError("the chroma subsampling is none of the known ones")
    for name in ("luminance", "chrominance"):
        value = fields[name]
        if value is not None and not (type(value) is float and math.isfinite(value) and 0 <= value <= _COARSEST):
            raise ValueError("the mean of a quantisation table is out of range")
    return FileFacts(**fields)


def _mean(table: tuple[int, ...]) -> float:
    return sum(table) / len(table)
