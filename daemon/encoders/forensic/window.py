"""The planes of one window of a picture that the feature groups share, each computed once."""

from __future__ import annotations

from dataclasses import dataclass
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
    return cut.sum(axis=1).reshape(rows, columns, BLOCK).sum(axis=2)


@dataclass(frozen=True)
class Residuals:
    """High-pass residuals of one plane: first and second differences and the 3x3 square filter of SRM.

    Source: Fridrich and Kodovsky, "Rich models for steganalysis of digital images", 2012.
    """

    across1: Plane  # (h, w - 1)
    down1: Plane  # (h - 1, w)
    across2: Plane  # (h, w - 2)
    down2: Plane  # (h - 2, w)
    square: Plane  # (h - 2, w - 2), [1 -2 1] along both axes

    @classmethod
    def of(cls, plane: Plane) -> Residuals:
        """All five residuals of a float32 plane (h, w), in grey levels."""
        across1, down1 = across(plane), down(plane)
        across2 = across(across1)
        return cls(across1, down1, across2, down(down1), down(down(across2)))

    def each(self) -> tuple[Plane, ...]:
        """The residuals in the order in which features list them."""
        return self.across1, self.down1, self.across2, self.down2, self.square


class Window:
    """One window of a picture: uint8 (h, w, 3) RGB, both sides at least 64 pixels."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.red = pixels[:, :, 0].astype(np.float32)
        self.green = pixels[:, :, 1].astype(np.float32)
        self.blue = pixels[:, :, 2].astype(np.float32)

    @cached_property
    def luma(self) -> Plane:
        """Luminance of JPEG, (h, w), 0-255."""
        return np.float32(0.299) * self.red + np.float32(0.587) * self.green + np.float32(0.114) * self.blue

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
    def green_residuals(self) -> Residuals:
        """Residuals of the green channel."""
        return Residuals.of(self.green)

    @cached_property
    def red_green_residuals(self) -> Residuals:
        """Residuals of R - G."""
        return Residuals.of(self.red_green)

    @cached_property
    def blue_green_residuals(self) -> Residuals:
        """Residuals of B - G."""
        return Residuals.of(self.blue_green)

    @cached_property
    def half_residuals(self) -> Residuals:
        """Residuals of the luminance at half the size."""
        return Residuals.of(self.half)

    @cached_property
    def quarter_residuals(self) -> Residuals:
        """Residuals of the luminance at a quarter of the size."""
        return Residuals.of(self.quarter)

    @cached_property
    def noise_blocks(self) -> NDArray[np.float32]:
        """Mean |square residual| of green in each 8x8 block, (h // 8, w // 8)."""
        square = self.green_residuals.square
        padded = np.pad(np.abs(square), ((1, 1), (1, 1)))
        return blocked(padded) / np.float32(BLOCK * BLOCK)
