"""One picture of the simulated world: a pure function of (seed, name, index, side)."""

from __future__ import annotations

from adapters.simulation.calendar import scene_key
from adapters.simulation.cameras import CAMERAS, camera_of, photograph, to_pixels
from adapters.simulation.files import save
from adapters.simulation.generators import family_of, generate
from adapters.simulation.scenes import caption, scene
from adapters.simulation.streams import stream


def picture(seed: int, name: str, index: int, side: int) -> tuple[bytes, str]:
    """The picture `index` of a camera or family.

    Parameters: seed of the world; name, a key of CAMERAS or FAMILIES; index from 0; side, pixels, even.
    Returns: the bytes of a JPEG of side x side pixels, and its caption, which says that it is a simulation.
    Raises: KeyError for an unknown name.
    """
    theme, light = scene(seed, scene_key(name, index), name, side)
    rng = stream(seed, "picture", name, index, side)
    if name in CAMERAS:
        drawn = photograph(light, camera_of(seed, name), rng)
    else:
        drawn = generate(light, family_of(seed, name), rng)
    return save(to_pixels(drawn), stream(seed, "file", name, index)), caption(theme)
