"""Simulated generator families: each renders scenes through an upsampling pipeline of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from adapters.simulation.cameras import Camera, Colour, blur, photograph, saturate, shrink, to_srgb
from adapters.simulation.scenes import SUPERSAMPLING
from adapters.simulation.streams import stream

Taps = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """What makes the pictures of one generator family alike."""

    pipeline: str  # key of PIPELINES
    keep: float  # share of each level's true detail that the latent code preserves
    latent_noise: float  # standard deviation of the noise on the latent (diffusion: of the grain), sRGB units
    unevenness: float  # how unequal the phases of the upsampling lattice are, as a share
    finish: float  # standard deviation of the last blur (diffusion: of the grain's), pixels; 0 none
    sharpen: float  # gain of a last unsharp mask


FAMILIES: dict[str, Family] = {
    "sim_transposed": Family("transposed", 0.55, 0.030, 0.035, 0.0, 0.0),
    "sim_nearest": Family("nearest", 0.50, 0.025, 0.0, 0.55, 0.4),
    "sim_pixelshuffle": Family("pixelshuffle", 0.60, 0.025, 0.045, 0.0, 0.2),
    "sim_diffusion": Family("diffusion", 0.0, 0.012, 0.005, 1.0, 0.0),
    "sim_pixelshuffle_xl": Family("pixelshuffle", 0.65, 0.020, 0.05, 0.0, 0.3),
}


def family_of(seed: int, name: str) -> Family:
    """The family `name` as it was trained in the world `seed`: moderately different in every world.

    Parameters: seed; name, a key of FAMILIES. Returns: the family. Raises: KeyError for an unknown name.
    """
    model, rng = FAMILIES[name], stream(seed, "family", name)

    def near(value: float) -> float:
        return value * float(np.exp(rng.normal(0.0, 0.06)))

    return replace(
        model,
        keep=near(model.keep), latent_noise=near(model.latent_noise), unevenness=near(model.unevenness),
        finish=near(model.finish), sharpen=near(model.sharpen),
    )  # fmt: skip


def imagine(light: NDArray[np.float32], rng: np.random.Generator) -> Colour:
    """What a generator would like to draw: the scene without lens, sensor or noise.

    Parameters: light, (2h, 2w, 3) float32 linear; rng of the picture.
    Returns: (h, w, 3) float32 in about [0, 1], sRGB.
    """
    exposure = np.float32(np.exp(rng.normal(0.1, 0.2)))
    linear = saturate(shrink(light, SUPERSAMPLING) * exposure, float(rng.uniform(1.0, 1.2)))
    return to_srgb(linear, float(rng.uniform(0.15, 0.35)))


def double(picture: Colour) -> Colour:
    """Every pixel twice along both axes; (h, w, 3) float32 -> (2h, 2w, 3)."""
    return np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)


def zero_insert(picture: Colour, taps: Taps) -> Colour:
    """Stride-2 transposed convolution with a separable kernel.

    Parameters: picture, (h, w, 3) float32; taps of the kernel along one axis.
    Returns: (2h, 2w, 3) float32. The taps of even and odd outputs do not sum alike: that is the checkerboard.
    Source: Odena, Dumoulin, Olah, Deconvolution and checkerboard artifacts, Distill 2016.
    """
    high, wide, channels = picture.shape
    spread = np.zeros((2 * high, 2 * wide, channels), np.float32)
    spread[::2, ::2] = picture
    kernel = np.asarray(taps, np.float32)
    for axis in (0, 1):
        spread = ndimage.correlate1d(spread, kernel, axis=axis, mode="mirror", output=np.float32)
    return spread


def noisy(picture: Colour, sigma: float, rng: np.random.Generator) -> Colour:
    """White noise of standard deviation sigma added; picture (h, w, 3) float32; the same shape back."""
    return picture + np.float32(sigma) * rng.standard_normal(picture.shape, dtype=np.float32)


def pyramid(ideal: Colour, levels: int) -> list[Colour]:
    """Pictures of side s, s / 2, ... s / 2^levels, (h, w, 3) float32 each, by box averages."""
    steps = [ideal]
    for _ in range(levels):
        steps.append(shrink(steps[-1], 2))
    return steps


def unsharp(picture: Colour, gain: float, sigma: float) -> Colour:
    """Detail finer than sigma (pixels) amplified by 1 + gain; picture (h, w, 3) float32."""
    return picture + np.float32(gain) * (picture - blur(picture, sigma))


def _transposed(light: NDArray[np.float32], family: Family, rng: np.random.Generator) -> Colour:
    """Latent at 1/4; two transposed convolutions whose taps favour one phase."""
    ideal, half, quarter = pyramid(imagine(light, rng), 2)
    uneven = family.unevenness
    taps = (0.5 - uneven / 2, 1.0 + uneven, 0.5 - uneven / 2)
    picture = noisy(quarter, family.latent_noise, rng)
    for target in (half, ideal):
        coarse = zero_insert(picture, taps)
        # The decoder knows part of the detail of this level, and draws it through the same kernel.
        picture = coarse + np.float32(family.keep) * (target - double(shrink(target, 2)))
        picture = noisy(picture, family.latent_noise / 4, rng)
    return picture


def _nearest(light: NDArray[np.float32], family: Family, rng: np.random.Generator) -> Colour:
    """Latent at 1/4; nearest-neighbour doubling, a blur and fresh noise at every level."""
    ideal, half, quarter = pyramid(imagine(light, rng), 2)
    picture = noisy(quarter, family.latent_noise, rng)
    for target in (half, ideal):
        coarse = double(picture)
        picture = coarse + np.float32(family.keep) * (target - double(shrink(target, 2)))
        picture = noisy(blur(picture, family.finish), family.latent_noise / 6, rng)
    return unsharp(picture, family.sharpen, 1.0)


def _pixelshuffle(light: NDArray[np.float32], family: Family, rng: np.random.Generator) -> Colour:
    """Latent at 1/2; each of the four phases comes from a channel of its own, with its own gain and colour."""
    ideal = imagine(light, rng)
    half = noisy(shrink(ideal, 2), family.latent_noise, rng)
    coarse = zero_insert(half, (0.5, 1.0, 0.5))
    picture = coarse + np.float32(family.keep) * (ideal - double(shrink(ideal, 2)))
    # Fixed at training: the same for every picture of every family that shares the architecture.
    gains = np.array([[[1.0, 0.6, 0.2], [-0.7, -0.2, 0.5]], [[-0.9, 0.3, -0.8], [0.6, -0.7, 0.1]]], np.float32)
    tiled = np.tile(gains, (ideal.shape[0] // 2, ideal.shape[1] // 2, 1))
    picture = picture * (1 + np.float32(family.unevenness) * tiled)
    return unsharp(picture, family.sharpen, 1.0)


def lattice(side: int, period: int) -> NDArray[np.float32]:
    """A separable periodic pattern, brightest where both axes meet a multiple of the period.

    Parameters: side, pixels; period, pixels. Returns: (side, side, 1) float32, mean about 0, largest value 2.
    """
    wave = np.where(np.arange(side) % period == 0, 1.0, -1.0 / (period - 1)).astype(np.float32)
    return (wave[:, None] + wave[None, :])[..., None]


def _diffusion(light: NDArray[np.float32], family: Family, rng: np.random.Generator) -> Colour:
    """Trained on photographs until it imitates lens, sensor and demosaicing.

    Its own are a colourless grain, coarser than sensor noise, and a lattice of period 3 from a resize of 2 : 3.
    """
    imagined = Camera(
        lens=float(rng.uniform(0.5, 0.65)),
        full_well=float(rng.uniform(4000, 8000)),
        read_noise=float(rng.uniform(3.0, 5.0)),
        demosaic="bilinear",
        phase=(int(rng.integers(2)), int(rng.integers(2))),
        cast=(float(rng.uniform(0.5, 0.65)), 1.0, float(rng.uniform(0.55, 0.7))),
        saturation=float(rng.uniform(1.0, 1.2)),
        contrast=float(rng.uniform(0.15, 0.35)),
        grey=float(rng.uniform(0.6, 0.8)),
        denoise=float(rng.uniform(0.1, 0.3)),
        sharpen=float(rng.uniform(0.35, 0.75)),
        radius=float(rng.uniform(0.8, 1.0)),
    )
    picture = photograph(light, imagined, rng)
    grain = blur(rng.standard_normal((*picture.shape[:2], 1), dtype=np.float32), family.finish)
    picture += np.float32(family.latent_noise) * grain / grain.std()
    picture += np.float32(family.unevenness) * lattice(picture.shape[0], 3)
    return picture


PIPELINES: dict[str, Callable[[NDArray[np.float32], Family, np.random.Generator], Colour]] = {
    "transposed": _transposed,
    "nearest": _nearest,
    "pixelshuffle": _pixelshuffle,
    "diffusion": _diffusion,
}


def generate(light: NDArray[np.float32], family: Family, rng: np.random.Generator) -> Colour:
    """The picture of a scene by a generator family.

    Parameters: light, (2h, 2w, 3) float32 linear; family; rng of the picture.
    Returns: (h, w, 3) float32 in about [0, 1], sRGB.
    """
    return PIPELINES[family.pipeline](light, family, rng)
