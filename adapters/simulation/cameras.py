"""Simulated cameras: from the light of a scene to the picture that the camera would save."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from adapters.simulation.scenes import SUPERSAMPLING
from adapters.simulation.streams import stream

Demosaic = Literal["bilinear", "gradient_corrected", "edge_directed"]
GREY = np.array([0.25, 0.6, 0.15], np.float32)  # shares of red, green and blue in the brightness

Plane = NDArray[np.float32]  # (h, w)
Colour = NDArray[np.float32]  # (h, w, 3)


@dataclass(frozen=True, slots=True)
class Camera:
    """What makes the pictures of one camera alike."""

    lens: float  # standard deviation of the lens blur, picture pixels
    full_well: float  # electrons of a saturated pixel at base sensitivity
    read_noise: float  # electrons, standard deviation
    demosaic: Demosaic
    phase: tuple[int, int]  # row and column of the first red pixel of the Bayer mosaic
    cast: tuple[float, float, float]  # sensitivity of the red, green and blue pixels, green 1
    saturation: float  # colour gain around the grey axis
    contrast: float  # strength of the S-curve, 0 none
    grey: float  # share of the fine colour detail that is taken for colour noise and made grey
    denoise: float  # share of the noise-range detail that is smoothed away, 0 none
    sharpen: float  # gain of the unsharp mask
    radius: float  # standard deviation of the unsharp mask, pixels


CAMERAS: dict[str, Camera] = {
    "sim_camera_a": Camera(
        0.50, 9000, 4.0, "gradient_corrected", (0, 0), (0.55, 1, 0.65), 1.15, 0.25, 0.7, 0.20, 0.45, 0.9
    ),
    "sim_camera_b": Camera(
        0.62, 9000, 4.5, "edge_directed", (0, 1), (0.60, 1, 0.55), 1.05, 0.15, 0.75, 0.30, 0.50, 0.9
    ),
    "sim_camera_c": Camera(0.55, 12000, 3.0, "bilinear", (1, 0), (0.50, 1, 0.70), 1.20, 0.30, 0.65, 0.10, 0.60, 1.0),
    "sim_camera_d": Camera(
        0.65, 8000, 4.5, "gradient_corrected", (1, 1), (0.65, 1, 0.60), 1.00, 0.20, 0.7, 0.30, 0.70, 1.0
    ),
    "sim_camera_e": Camera(
        0.60, 10000, 4.0, "edge_directed", (0, 0), (0.58, 1, 0.62), 1.10, 0.35, 0.75, 0.25, 0.40, 0.9
    ),
    "sim_camera_f": Camera(0.60, 10000, 3.5, "bilinear", (1, 1), (0.52, 1, 0.58), 1.10, 0.20, 0.65, 0.20, 0.75, 0.9),
}


def camera_of(seed: int, name: str) -> Camera:
    """The camera `name` as it was built in the world `seed`: moderately different in every world.

    Parameters: seed; name, a key of CAMERAS. Returns: the camera. Raises: KeyError for an unknown name.
    """
    model, rng = CAMERAS[name], stream(seed, "camera", name)

    def near(value: float) -> float:
        return value * float(np.exp(rng.normal(0.0, 0.05)))

    return replace(
        model,
        lens=near(model.lens), full_well=near(model.full_well), read_noise=near(model.read_noise),
        saturation=near(model.saturation), contrast=near(model.contrast),
        grey=min(1.0, near(model.grey)), denoise=near(model.denoise),
        sharpen=near(model.sharpen), radius=near(model.radius),
    )  # fmt: skip


def shrink(light: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Box average over factor x factor samples; (h, w, c) float32 -> (h / factor, w / factor, c)."""
    high, wide, channels = light.shape
    blocks = light.reshape(high // factor, factor, wide // factor, factor, channels)
    total = sum(blocks[:, i, :, j] for i in range(factor) for j in range(factor))
    return np.asarray(total, dtype=np.float32) / np.float32(factor * factor)


def blur(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur of every plane; picture (h, w, c) float32, sigma in pixels; the same shape back."""
    blurred: NDArray[np.float32] = ndimage.gaussian_filter(
        picture, (sigma, sigma, 0), mode="reflect", truncate=3.0, output=np.float32
    )
    return blurred


def to_srgb(linear: Colour, contrast: float) -> Colour:
    """The tone curve: sRGB-like gamma with an S-curve.

    Parameters: linear, (h, w, 3) float32 in [0, 1]; contrast, strength of the S-curve.
    Returns: (h, w, 3) float32 in [0, 1].
    """
    coded = np.clip(linear, 0.0, 1.0) ** np.float32(1 / 2.2)
    curved: Colour = coded + np.float32(contrast) * coded * (1 - coded) * (coded - np.float32(0.45)) * 2
    return curved


def saturate(picture: Colour, gain: float) -> Colour:
    """Colours moved away from their grey by `gain`; picture (h, w, 3) float32; the same shape back."""
    grey = (picture @ GREY)[..., None]
    saturated: Colour = np.asarray(grey + np.float32(gain) * (picture - grey), dtype=np.float32)
    return saturated


def to_pixels(picture: Colour) -> NDArray[np.uint8]:
    """(h, w, 3) float32 in [0, 1] -> uint8, rounded, clipped."""
    return (np.clip(picture, 0.0, 1.0) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _masks(shape: tuple[int, int], phase: tuple[int, int]) -> tuple[Plane, Plane, Plane]:
    rows, columns = np.arange(shape[0])[:, None] + phase[0], np.arange(shape[1])[None, :] + phase[1]
    red = (rows % 2 == 0) & (columns % 2 == 0)
    blue = (rows % 2 == 1) & (columns % 2 == 1)
    return red.astype(np.float32), (~(red | blue)).astype(np.float32), blue.astype(np.float32)


def _filter(plane: NDArray[np.floating[Any]], kernel: NDArray[np.float32]) -> Plane:
    filtered: Plane = ndimage.correlate(plane, kernel, mode="mirror", output=np.float32)
    return filtered


# Interpolation of the green quincunx, and of the red and blue lattices.
CROSS: Plane = np.array([[0, 0.25, 0], [0.25, 1, 0.25], [0, 0.25, 0]], np.float32)
TENT: Plane = np.array([[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]], np.float32)
# A pixel against the next ones of its own colour.
LAPLACE: Plane = np.zeros((5, 5), np.float32)
LAPLACE[2, 2] = 0.5
LAPLACE[[0, 4, 2, 2], [2, 2, 0, 4]] = -0.125


def _colour_differences(mosaic: Plane, green: Plane, masks: tuple[Plane, Plane, Plane]) -> Colour:
    red = np.add(green, _filter((mosaic - green) * masks[0], TENT))
    blue = np.add(green, _filter((mosaic - green) * masks[2], TENT))
    return np.stack((red, green, blue), axis=-1, dtype=np.float32)


def demosaic(mosaic: Plane, phase: tuple[int, int], kind: Demosaic) -> Colour:
    """Full colour from a Bayer mosaic.

    Parameters: mosaic, (h, w) float32; phase, row and column of the first red pixel; kind of interpolation.
    Returns: (h, w, 3) float32.
    Source: gradient correction after Malvar, He, Cutler (ICASSP 2004); edge direction after Hamilton and
        Adams (US 5,629,734); both with bilinear colour differences.
    """
    masks = red, sparse_green, blue = _masks((mosaic.shape[0], mosaic.shape[1]), phase)
    green = _filter(mosaic * sparse_green, CROSS)
    if kind == "bilinear":
        return np.stack((_filter(mosaic * red, TENT), green, _filter(mosaic * blue, TENT)), axis=-1)
    elsewhere = np.float32(1) - sparse_green
    if kind == "gradient_corrected":
        green = np.add(green, elsewhere * _filter(mosaic, LAPLACE), dtype=np.float32)
        return _colour_differences(mosaic, green, masks)
    padded = np.pad(mosaic, 2, mode="reflect")
    centre = padded[2:-2, 2:-2]
    left, right, up, down = padded[2:-2, 1:-3], padded[2:-2, 3:-1], padded[1:-3, 2:-2], padded[3:-1, 2:-2]
    along_row = 2 * centre - padded[2:-2, :-4] - padded[2:-2, 4:]
    along_column = 2 * centre - padded[:-4, 2:-2] - padded[4:, 2:-2]
    rough_row, rough_column = np.abs(left - right) + np.abs(along_row), np.abs(up - down) + np.abs(along_column)
    by_row, by_column = (left + right) / 2 + along_row / 4, (up + down) / 2 + along_column / 4
    row_share = (rough_column + np.float32(1e-4)) / (rough_row + rough_column + np.float32(2e-4))
    chosen = by_column + row_share * (by_row - by_column)
    green = np.where(elsewhere > 0, chosen, mosaic).astype(np.float32)
    return _colour_differences(mosaic, green, masks)


def expose(light: NDArray[np.float32], camera: Camera, rng: np.random.Generator) -> Plane:
    """What the sensor records: lens blur, exposure, mosaic, shot and read noise, 12 bit.

    Parameters: light, (2h, 2w, 3) float32 linear; camera; rng of the shot.
    Returns: (h, w) float32 in [0, 1], before white balance.
    """
    focus = camera.lens * float(rng.uniform(0.95, 1.15))
    image = shrink(blur(light, SUPERSAMPLING * focus), SUPERSAMPLING)
    masks = _masks((image.shape[0], image.shape[1]), camera.phase)
    exposure = np.float32(np.exp(rng.normal(0.1, 0.2)))
    clean = np.zeros(image.shape[:2], np.float32)
    for channel, mask in enumerate(masks):
        clean += mask * image[..., channel] * np.float32(camera.cast[channel]) * exposure
    sensitivity = float(np.exp2(rng.uniform(0.0, 1.5)))
    electrons = np.clip(clean, 0.0, 1.0) * np.float32(camera.full_well / sensitivity)
    # Above some twenty electrons a Gaussian of the same variance is a Poisson for every purpose here.
    noise = rng.standard_normal(clean.shape, dtype=np.float32)
    electrons += noise * np.sqrt(electrons + np.float32(camera.read_noise**2))
    recorded = electrons * np.float32(sensitivity / camera.full_well)
    return np.clip(np.round(recorded * 4095) / 4095, 0.0, 1.0).astype(np.float32)


def develop(mosaic: Plane, camera: Camera) -> Colour:
    """From the recorded mosaic to the finished picture, in the camera.

    Parameters: mosaic, (h, w) float32; camera. Returns: (h, w, 3) float32 in about [0, 1], sRGB.
    """
    balanced = mosaic.copy()
    for mask, gain in zip(_masks((mosaic.shape[0], mosaic.shape[1]), camera.phase), camera.cast, strict=True):
        balanced += mask * mosaic * np.float32(1 / gain - 1)
    linear = saturate(demosaic(balanced, camera.phase, camera.demosaic), camera.saturation)
    picture = to_srgb(linear, camera.contrast)
    base = blur(picture, camera.radius)
    detail = picture - base
    detail += np.float32(camera.grey) * ((detail @ GREY)[..., None] - detail)
    # Small detail is taken for noise and reduced, the rest is sharpened.
    small = np.float32(camera.denoise) * np.exp(-((detail / np.float32(0.02)) ** 2))
    finished: Colour = np.asarray(base + detail * np.float32(1 + camera.sharpen) * (1 - small), dtype=np.float32)
    return finished


def photograph(light: NDArray[np.float32], camera: Camera, rng: np.random.Generator) -> Colour:
    """The picture of a scene by a camera.

    Parameters: light, (2h, 2w, 3) float32 linear; camera; rng of the shot.
    Returns: (h, w, 3) float32 in about [0, 1], sRGB.
    """
    return develop(expose(light, camera, rng), camera)
