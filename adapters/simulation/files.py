"""The one file history that photographs and generated pictures share."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITIES = (84, 97)  # JPEG quality, lowest and one above the highest
MARK = b"simulation by sidwatch: not a photograph, not the output of a real image generator"


def save(pixels: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    """A JPEG file whose quality and chroma sampling are drawn alike for every kind of picture.

    Parameters: pixels, (h, w, 3) uint8, sRGB; rng of the file, independent of what made the picture.
    Returns: the bytes of the file; its comment says that it is a simulation.
    """
    quality = int(rng.integers(*QUALITIES))
    subsampling = ("4:4:4", "4:2:0")[int(rng.integers(2))]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling, comment=MARK)
    return file.getvalue()
