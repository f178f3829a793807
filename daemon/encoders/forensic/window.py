"""The planes of one window of a picture that the feature groups share, each computed once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
BLOCK = 8  # pixels; the JPEG block


def across(plane: Plane) -> Plane:
    """First difference along the rows, (h, w) -> (h, w - 1)."""
    return plane[:, 1:] - plane[:, :-1]


def down(plane: Plane) -> Plane:
    """First difference along the columns, (h, w) -> (h - 1, w)."""
    return plane[1:] - plane[:-1]


def halved(plane: Plane) -> Plane:
    """Mean of each 2x2 cell, (h, w) -> (h // 2, w // 2)."""
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    rows = plane[0:height:2] + plane[1:height:2]
    return np.float32(0.25) * (rows[:, 0:width:2] + rows[:, 1:width:2])


def dot(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Sum of products of two flat arrays; einsum, for a threaded BLAS sums in an order of its own."""
    return float(np.einsum("i,i->", left, right))


def blocked(plane: Plane) -> NDArray[np.float32]:
    """Sum of each 8x8 block, (h, w) -> (h // 8, w // 8); the rest at the right and bottom is left out."""
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    cut = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns * BLOCK)
    return np.asarray(cut.sum(axis=1).reshape(rows, columns, BLOCK).sum(axis=2))


def _channel(pixels: NDArray[np.uint8], channel: int) -> Plane:
    """One channel in C order: sums run in memory order, and equal pixels must give equal bits."""
    return pixels[:, :, channel].astype(np.float32, order="C")


def _smaller(plane: Plane) -> tuple[Plane, Plane, Plane]:
    """The plane at half, quarter and eighth size."""
    half = halved(plane)
    quarter = halved(half)
    return half, quarter, halved(quarter)


class Residuals:
    """High-pass residuals of one plane in grey levels, each computed when first asked for.

    Source: Fridrich and Kodovsky, "Rich models for steganalysis of digital images", 2012.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane  # (h, w)

    @cached_property
    def across1(self) -> Plane:
        """First difference along the rows, (h, w - 1)."""
        return across(self._plane)

    @cached_property
    def down1(self) -> Plane:
        """First difference along the columns, (h - 1, w)."""
        return down(self._plane)

    @cached_property
    def across2(self) -> Plane:
        """Second difference along the rows, (h, w - 2)."""
        return across(self.across1)

    @cached_property
    def down2(self) -> Plane:
        """Second difference along the columns, (h - 2, w)."""
        return down(self.down1)

    @cached_property
    def square(self) -> Plane:
        """[1 -2 1] along both axes: the 3x3 square filter, (h - 2, w - 2)."""
        return down(down(self.across2))


class Window:
    """One window of a picture: uint8 (h, w, 3) RGB, both sides at least 64 pixels."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.red = _channel(pixels, 0)
        self.green = _channel(pixels, 1)
        self.blue = _channel(pixels, 2)

    @cached_property
    def luma(self) -> Plane:
        """Luminance of JPEG, (h, w), 0-255."""
        return np.asarray(np.float32(0.299) * self.red + np.float32(0.587) * self.green + np.float32(0.114) * self.blue)

    @cached_property
    def red_green(self) -> Plane:
        """Colour difference R - G, (h, w)."""
        return self.red - self.green

    @cached_property
    def blue_green(self) -> Plane:
        """Colour difference B - G, (h, w)."""
        return self.blue - self.green

    @cached_property
    def half(self) -> Plane:
        """Luminance at half the size."""
        return halved(self.luma)

    @cached_property
    def quarter(self) -> Plane:
        """Luminance at a quarter of the size."""
        return halved(self.half)

    @cached_property
    def eighth(self) -> Plane:
        """Luminance at an eighth of the size."""
        return halved(self.quarter)

    @cached_property
    def greens(self) -> tuple[Plane, Plane, Plane]:
        """Green at half, quarter and eighth size."""
        return _smaller(self.green)

    @cached_property
    def reds_greens(self) -> tuple[Plane, Plane, Plane]:
        """R - G at half, quarter and eighth size."""
        return _smaller(self.red_green)

    @cached_property
    def blues_greens(self) -> tuple[Plane, Plane, Plane]:
        """B - G at half, quarter and eighth size."""
        return _smaller(self.blue_green)

    @cached_property
    def green_residuals(self) -> Residuals:
        """Residuals of the green channel."""
        return Residuals(self.green)

    @cached_property
    def red_green_residuals(self) -> Residuals:
        """Residuals of R - G."""
        return Residuals(self.red_green)

    @cached_property
    def blue_green_residuals(self) -> Residuals:
        """Residuals of B - G."""
        return Residuals(self.blue_green)

    @cached_property
    def half_residuals(self) -> Residuals:
        """Residuals of the luminance at half the size."""
        return Residuals(self.half)

    @cached_property
    def half_colour_residuals(self) -> tuple[Residuals, Residuals]:
        """Residuals of R - G and B - G at half the size."""
        return Residuals(self.reds_greens[0]), Residuals(self.blues_greens[0])

    @cached_property
    def quarter_residuals(self) -> Residuals:
        """Residuals of the luminance at a quarter of the size."""
        return Residuals(self.quarter)

    @cached_property
    def noise_blocks(self) -> NDArray[np.float32]:
        """Mean |square residual| of green in each 8x8 block, (h // 8, w // 8)."""
        square = self.green_residuals.square
        padded = np.pad(np.abs(square), ((1, 1), (1, 1)))
        return blocked(padded) / np.float32(BLOCK * BLOCK)
