"""Dead-leaves scenes: occluding shapes with power-law sizes, whose statistics are those of natural images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import fft

from adapters.simulation.streams import stream

SUPERSAMPLING = 2  # scene samples per picture pixel and axis, so that lenses have something to blur

# Linear-light reflectances of what one meets outdoors and indoors; the names go into captions.
PALETTES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "foliage": ((0.10, 0.17, 0.05), (0.20, 0.28, 0.09), (0.05, 0.08, 0.03), (0.30, 0.24, 0.14), (0.45, 0.52, 0.58)),
    "autumn": ((0.42, 0.20, 0.06), (0.30, 0.10, 0.05), (0.52, 0.38, 0.12), (0.16, 0.12, 0.08), (0.10, 0.13, 0.05)),
    "shore": ((0.52, 0.46, 0.34), (0.30, 0.38, 0.42), (0.12, 0.20, 0.25), (0.60, 0.62, 0.62), (0.24, 0.20, 0.15)),
    "street": ((0.28, 0.27, 0.26), (0.12, 0.12, 0.13), (0.46, 0.30, 0.22), (0.55, 0.53, 0.49), (0.14, 0.18, 0.26)),
    "interior": ((0.48, 0.40, 0.31), (0.24, 0.15, 0.09), (0.56, 0.52, 0.46), (0.32, 0.14, 0.12), (0.12, 0.13, 0.16)),
    "stone": ((0.36, 0.34, 0.31), (0.20, 0.19, 0.18), (0.50, 0.47, 0.42), (0.10, 0.10, 0.10), (0.17, 0.20, 0.12)),
}
MIDDLE_GREY = 0.18


@dataclass(frozen=True, slots=True)
class Theme:
    """What a scene is about: all that a caption would say of it."""

    palette: str  # key of PALETTES
    smallest: float  # radius of the smallest leaf, picture pixels
    roughness: float  # standard deviation of the texture inside a leaf, share of its reflectance
    contrast: float  # standard deviation of the logarithm of the leaves' reflectance
    angular: float  # share of leaves that are polygons instead of ellipses


def draw_theme(rng: np.random.Generator) -> Theme:
    """A theme drawn at random; returns palette, sizes, texture and contrast of a scene."""
    names = sorted(PALETTES)
    return Theme(
        palette=names[int(rng.integers(len(names)))],
        smallest=float(rng.uniform(1.6, 2.6)),
        roughness=float(rng.uniform(0.06, 0.16)),
        contrast=float(rng.uniform(0.35, 0.6)),
        angular=float(rng.uniform(0.2, 0.6)),
    )


def caption(theme: Theme) -> str:
    """What the theme would be called, in words that say it is a simulation."""
    grain = "fine" if theme.smallest < 2.1 else "coarse"
    return f"simulation: dead-leaves scene, {theme.palette} colours, {grain} grain"


def radii(count: int, smallest: float, largest: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Leaf radii with density proportional to r^-3, the only power that makes the scene scale-invariant.

    Parameters: count; smallest and largest radius, pixels; rng.
    Returns: (count,) float64, pixels.
    Source: Lee, Mumford, Huang, Occlusion models for natural images, IJCV 2001, section 4.
    """
    low, high = smallest**-2, largest**-2
    drawn: NDArray[np.float64] = (low - rng.random(count) * (low - high)) ** -0.5
    return drawn


def rough_field(side: int, exponent: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A Gaussian field of mean 0, deviation 1 and power spectrum f^-exponent.

    Parameters: side, pixels; exponent of the power spectrum; rng.
    Returns: (side, side) float32.
    """
    white = fft.rfft2(rng.standard_normal((side, side), dtype=np.float32))
    frequency = np.hypot(fft.fftfreq(side)[:, None], fft.rfftfreq(side)[None, :]).astype(np.float32)
    frequency[0, 0] = 1.0
    field = fft.irfft2(white * frequency ** np.float32(-exponent / 2), s=(side, side))
    field -= field.mean()
    scaled: NDArray[np.float32] = (field / field.std()).astype(np.float32)
    return scaled


def _outlines(
    centres: NDArray[np.float64], axes: NDArray[np.float64], turn: NDArray[np.float64], corners: NDArray[np.int64]
) -> dict[int, list[float]]:
    """The corners (x, y, x, y, ...) of every leaf that has some, by its index; those of one shape at once."""
    found: dict[int, list[float]] = {}
    for count in range(3, 8):
        leaves = np.flatnonzero(corners == count)
        angle = turn[leaves, None] + np.linspace(0.0, 2 * np.pi, count, endpoint=False)
        around = np.stack((np.cos(angle), np.sin(angle)), axis=2)
        outline = centres[leaves, None, :] + axes[leaves, None, :] * around
        found.update(zip(leaves.tolist(), outline.reshape(len(leaves), 2 * count).tolist(), strict=True))
    return found


def _leaf_map(
    side: int, centres: NDArray[np.float64], sizes: NDArray[np.float64], theme: Theme, rng: np.random.Generator
) -> NDArray[np.int32]:
    """(side, side) int32: which leaf is seen at each sample; later leaves occlude earlier ones."""
    canvas = Image.new("I", (side, side))
    pen = ImageDraw.Draw(canvas)
    angular = rng.random(len(sizes)) < theme.angular
    corners = rng.integers(3, 8, len(sizes))
    turn = rng.uniform(0.0, 2 * np.pi, len(sizes))
    aspect = np.exp(rng.normal(0.0, 0.3, len(sizes)))
    axes = np.stack((sizes * aspect, sizes / aspect), axis=1)
    boxes = np.concatenate((centres - axes, centres + axes), axis=1).tolist()
    outlines = _outlines(centres, axes, turn, np.where(angular, corners, 0))
    for leaf, box in enumerate(boxes):
        if leaf in outlines:
            pen.polygon(outlines[leaf], fill=leaf)
        else:
            pen.ellipse(box, fill=leaf)
    return np.asarray(canvas, dtype=np.int32)


def render(theme: Theme, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """The light that leaves a scene, supersampled.

    Parameters: theme; side of the final picture, pixels; rng, which decides the layout.
    Returns: (SUPERSAMPLING * side, SUPERSAMPLING * side, 3) float32, linear light, mean luminance about
        MIDDLE_GREY, not negative.
    Source: dead-leaves model (Lee, Mumford, Huang, IJCV 2001), with shading and texture inside each leaf.
    """
    fine = SUPERSAMPLING * side
    count = int(1800 * (side / 256) ** 2)
    # A first layer of large leaves, so that no place is left uncovered.
    sizes = np.concatenate(
        (
            np.full(40, 0.3 * fine),
            radii(count, SUPERSAMPLING * theme.smallest, 0.35 * fine, rng),
        )
    )
    centres = rng.uniform(-0.1 * fine, 1.1 * fine, (len(sizes), 2))
    seen = _leaf_map(fine, centres, sizes, theme, rng)

    palette = np.array(PALETTES[theme.palette])
    brightness = np.exp(rng.normal(0.0, theme.contrast, (len(sizes), 1)))
    tint = np.exp(rng.normal(0.0, 0.12, (len(sizes), 3)))
    colour = (palette[rng.integers(len(palette), size=len(sizes))] * brightness * tint).astype(np.float32)
    slope = (rng.normal(0.0, 0.18, (len(sizes), 2)) / sizes[:, None]).astype(np.float32)
    offset = (1.0 - (slope * centres).sum(axis=1)).astype(np.float32)
    rough = (theme.roughness * rng.uniform(0.2, 1.8, len(sizes))).astype(np.float32)

    axis = np.arange(fine, dtype=np.float32)
    shade = offset[seen] + slope[:, 0][seen] * axis[None, :] + slope[:, 1][seen] * axis[:, None]
    shade += rough[seen] * rough_field(fine, 1.6, rng)
    light: NDArray[np.float32] = colour[seen] * np.clip(shade, 0.15, 2.5)[..., None]
    light *= np.float32(MIDDLE_GREY / light.mean())
    return light


def scene(seed: int, key: str, teller: str, side: int) -> tuple[Theme, NDArray[np.float32]]:
    """The scene `key` as `teller` meets it: one theme for all who depict it, a layout of their own.

    A photograph and the pictures generated from its caption share the theme, not the pixels.
    Parameters: seed; key of the scene; teller, camera or family; side of the final picture, pixels.
    Returns: the theme and the light as `render` gives it.
    """
    theme = draw_theme(stream(seed, "theme", key))
    return theme, render(theme, side, stream(seed, "layout", key, teller))
