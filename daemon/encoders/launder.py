"""The laundered profile: what a picture looks like after it was shared once (method.md, section 2)."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SMALLEST_SIDE = 64  # pixels; no side is ever scaled below it
SCALES = (0.6, 1.0)
QUALITIES = (70, 95)  # JPEG, both ends included


def plan(picture: NDArray[np.uint8]) -> tuple[tuple[int, int], int]:
    """What laundering will do to a picture: it depends on the pixels and the shape alone.

    The draws come straight from a sha256, so that they stay the same under every version of numpy.

    Args:
        picture: uint8, (h, w, 3), RGB.

    Returns:
        The new (height, width) in pixels and the JPEG quality.
    """
    shape = ",".join(str(side) for side in picture.shape).encode()
    digest = hashlib.sha256(shape + b":" + np.ascontiguousarray(picture).tobytes()).digest()
    drawn = int.from_bytes(digest[:8], "big") / 2**64
    scale = SCALES[0] + (SCALES[1] - SCALES[0]) * drawn
    height, width = picture.shape[:2]
    scale = min(1.0, max(scale, SMALLEST_SIDE / min(height, width)))
    quality = QUALITIES[0] + int.from_bytes(digest[8:16], "big") % (QUALITIES[1] - QUALITIES[0] + 1)
    return (round(height * scale), round(width * scale)), quality


def launder(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale a picture down by a random .6-1 and re-encode it as JPEG of random quality 70-95.

    Seeded by the pixels: the same pixels saved as PNG, or with other metadata, launder identically. A
    picture with a side under 64 pixels is re-encoded without being scaled.

    Args:
        picture: uint8, (h, w, 3), RGB.

    Returns:
        uint8, (h', w', 3), RGB; its shape has the picture's aspect.

    Source: method.md, section 2, delivery profiles; Gragnaniello et al., "Are GAN generated images easy
    to detect?", 2021 (resizing and compression as the honest test).
    """
    (height, width), quality = plan(picture)
    image = Image.fromarray(np.ascontiguousarray(picture))
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    image.save(encoded, format="JPEG", quality=quality)
    encoded.seek(0)
    with Image.open(encoded) as decoded:
        return np.asarray(decoded.convert("RGB"), dtype=np.uint8)
